#!/bin/bash
# docs/openapi.yaml and what a running rootlesskit answers are the same thing: every driver, every
# path, method and status, with a validator of JSON Schema 2020-12.
# Arguments: api-parent, then the programs of rootlesskit.
set -eu
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../rootlesskit/common.sh
. "$(dirname "$0")/../rootlesskit/common.sh"
# shellcheck source=results.sh
. "$(dirname "$0")/results.sh"
for module in yaml jsonschema; do
    python3 -c "import $module" 2>/dev/null || skip_all "no python3-$module"
done
use_programs
install -m 755 "$1" "$bin/"
make_kit_user conform
servers=()

started_or_ended() { [ -S "$1" ] || [ ! -d "/proc/$pid" ]; }

# serve NAME OPTION...: a rootlesskit of its own, for the validator
serve() {
    local name=$1
    shift
    start_as_user rootlesskit --state-dir="$runtime/$name" "$@" sleep 600 >"$work/$name.log" 2>&1
    wait_for 30 started_or_ended "$runtime/$name/api.sock" || true
    if [ -S "$runtime/$name/api.sock" ]; then
        kits+=("$pid")
        servers+=("$name=$runtime/$name/api.sock")
    elif grep -q 'no such driver' "$work/$name.log"; then
        skip "$name" "rootlesskit lacks the driver"
    else
        fail "$name starts" "$(cat "$work/$name.log")"
    fi
}
kits=()
serve host
serve none-builtin --net=none --port-driver=builtin
serve gateway-builtin --net=gateway --port-driver=builtin --copy-up=/etc
serve gateway --net=gateway
serve gateway-detached --net=gateway --port-driver=builtin --detach-netns
while read -r name program options; do
    if command -v "$program" >/dev/null; then
        # shellcheck disable=SC2086
        serve "$name" $options
    else
        skip "$name" "no $program"
    fi
done <<'END'
slirp4netns-builtin slirp4netns --net=slirp4netns --port-driver=builtin --copy-up=/etc
slirp4netns-slirp4netns slirp4netns --net=slirp4netns --port-driver=slirp4netns
pasta-implicit pasta --net=pasta --port-driver=implicit --copy-up=/etc
END

# A parent that ends while it is asked.
mkdir "$work/ending"
"$bin/api-parent" "$work/ending" "$bin/rootlesskit-api" die 2>>"$work/ending.log" &
wait_for 10 test -S "$work/ending/api.sock"
servers+=("ending=$work/ending/api.sock")

# One that knows flows of every kind.
mkdir "$work/model"
"$bin/api-parent" "$work/model" "$bin/rootlesskit-api" 2>>"$work/model.log" &
wait_for 10 test -S "$work/model/api.sock"
servers+=("model=$work/model/api.sock")

results "" conformance.py "$SOURCE_ROOT/docs/openapi.yaml" "${servers[@]}"
kill -TERM "${kits[@]}"
ok "all of them end" wait_for 10 family_gone
done_testing
