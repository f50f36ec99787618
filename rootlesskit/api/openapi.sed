# docs/openapi.yaml as C: a string literal a line.
s/[\\"]/\\&/g
s/.*/    "&\\n"/
1i #include "rootlesskit/api/openapi.h"\n\nconst char openapi_document[] =
$s/$/;/
