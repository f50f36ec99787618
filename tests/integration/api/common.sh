# Shared by the tests of the API: a parent of its own for rootlesskit-api, and requests to it.
# Arguments of every test: api-parent, rootlesskit-api, rootlessctl, rootlesskit-docker-proxy.
# shellcheck shell=bash disable=SC2034 # some are for the tests
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
command -v curl >/dev/null || skip_all "no curl"
# Where any user may run them: a build folder need not be open to all.
mkdir -p "$bin"
install -m 755 "$1" "$2" "$3" "$4" "$bin/"
PATH=$bin:$PATH
server=$bin/rootlesskit-api
state=$work/state
mkdir -m 755 "$state"

# serve_from DIR [empty|die]: a parent whose state directory DIR is, which must exist
serve_from() {
    state=$1
    shift
    "$bin/api-parent" "$state" "$server" "$@" 2>>"$work/parent.log" &
    wait_for 10 test -S "$state/api.sock"
}

# request ARGS... PATH: sets status, type (the content type) and body
request() {
    local path=${!#}
    status=$(curl -sS --max-time 60 --unix-socket "$state/api.sock" -o "$work/body" \
        -w '%{http_code} %{content_type}' "${@:1:$#-1}" "http://u$path" 2>"$work/curl.err") || true
    type=${status#* } status=${status%% *} body=
    [ ! -f "$work/body" ] || body=$(tr -d '\0' <"$work/body")
    rm -f "$work/body"
}

# answers NAME STATUS BODY-ERE ARGS... PATH
answers() {
    local name=$1 want=$2 ere=$3
    shift 3
    request "$@"
    if [ "$status" = "$want" ] && [[ $body =~ $ere ]]; then
        pass "$name"
    else
        fail "$name" "status $status, body: ${body:0:300} $(cat "$work/curl.err")"
    fi
}

add() {
    printf '{"proto":"tcp","parentIP":"127.0.0.1","parentPort":%s,"childPort":80}' "$1"
}

starts() {
    wc -l <"$state/starts"
}
