# shellcheck shell=bash
# Sourced on top of lib.sh by tests that hold --json against the schemas of docs/.
# With Debian's python3-jsonschema, or that of the first python3 in $PATH.
schema_python=
for schema_python in /usr/bin/python3 "$(command -v python3 || true)" ""; do
    if [ -z "$schema_python" ] || "$schema_python" -Ic 'import jsonschema' 2>/dev/null; then break; fi
done

fits() { # WHAT SCHEMA JSON: it is as docs/SCHEMA-schema.json says; leaves what run said
    # shellcheck disable=SC2154 # work, of lib.sh
    local said=${out:-} report=$work/report.json
    if [ -z "$schema_python" ]; then
        skip "$1" "no python3-jsonschema"
        return 0
    fi
    printf '%s\n' "$3" >"$report"
    ok "$1" "$schema_python" -I "$SOURCE_ROOT/tests/integration/schema.py" "$SOURCE_ROOT/docs/$2-schema.json" "$report"
    out=$said
}
