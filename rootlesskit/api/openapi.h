/* docs/openapi.yaml, in the program: the build makes openapi.c of it (openapi.sed). */
#pragma once

extern const char openapi_document[];
