# shellcheck shell=bash
# Sourced after lib.sh by tests whose checks are made in Python.

# results PREFIX SCRIPT ARGS...: every line "ok NAME" or "not ok NAME: WHY" that the script of this
# folder prints is a result of the test
results() {
    local prefix=$1 script=$2 line
    shift 2
    while read -r line; do
        case $line in
        "ok "*) pass "$prefix${line#ok }" ;;
        "not ok "*) fail "$prefix${line#not ok }" ;;
        *) note "$line" ;;
        esac
    done < <(PYTHONDONTWRITEBYTECODE=1 python3 "$SOURCE_ROOT/tests/integration/api/$script" "$@" 2>&1 ||
        echo "not ok $script ends well")
}
