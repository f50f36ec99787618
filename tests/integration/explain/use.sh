#!/bin/bash
# How explain is used: a text as words, by a pipe or a whole log, the name of a check, an unknown
# text; what the check says of this host; JSON; and nothing of what was pasted reaches a terminal raw.
set -eu
# shellcheck source-path=SCRIPTDIR source=../check/common.sh
. "$(dirname "$0")/../check/common.sh"

ranges "rltest-alice:3000000:65536"
failed="newuidmap: write to uid_map failed: Operation not permitted"

explain() { as_alice "$setup" explain "$@"; }
piped() { # TEXT ARGS...
    local text=$1
    shift
    printf '%b' "$text" | explain "$@"
}

run explain "$failed"
is "a known text: exit status" "$rc" 0
like "... is recognised" "$out" "^Recognised: newuidmap: write to uid_map failed: Operation not permitted"
like "... its cause" "$out" "runs without its privilege"
like "... what to type" "$out" "What to type:"$'\n'"  rootless-setup check newuidmap"
like "... and the check passes here" "$out" "ok  .*mapped 65537 uids.*in order here"
setcap -r "$bin/newuidmap"
run explain "$failed"
like "a check that fails here says why" "$out" "failed +newuidmap.*neither the file capability"
like "... with the remedy" "$out" "setcap cap_setuid=ep $bin/newuidmap"
unlike "... and is not called in order" "$out" "in order here"
is "... exit status still 0" "$rc" 0
setcap cap_setuid+ep "$bin/newuidmap"

# shellcheck disable=SC2086 # unquoted, as people paste
run explain $failed
like "a text without quotes" "$out" "^Recognised: newuidmap: write"
run piped "$failed\n"
like "a text from a pipe" "$out" "^Recognised: newuidmap: write"
run piped "$failed\n" --no-check -
like "--no-check tries nothing" "$out" "was not tried here: --no-check"
log='Nov 26 10:00:00 host systemd[1]: Started\nCannot connect to the Docker daemon at unix:///run/user/1000/docker.sock.\nNov 26 host dockerd-rootless.sh[7]: [rootlesskit:parent] error: failed to setup UID/GID map: failed to compute uid/gid map: No subuid ranges found for user 1001 ("testuser")\n'
run piped "$log" --no-check
like "a log: the cause first" "$out" "^Recognised: No subuid ranges found for user"
like "... then the symptom" "$out" "Also in this text: Cannot connect to the Docker daemon"
big() {
    yes 'nothing to see here' | head -c 5000000
    printf '%s\n' "$failed"
}
long() { big | explain --no-check; }
run long
like "a long log: its end counts" "$out" "^Recognised: newuidmap"

run explain "all is well"
is "an unknown text: exit status 1" "$rc:$err" "1:"
like "... says so, and what to do" "$out" "No error that is known .*rootless-setup check"
run piped "" --json
is "no text at all: exit status 1" "$rc" 1

run explain overlay
is "the name of a check: exit status" "$rc" 0
like "... what it is about" "$out" "^overlay.*Mounts overlay with two lower layers"
like "... and how it stands here" "$out" "The check overlay for rltest-alice on this machine.*ok  "
undescribed=$("$setup" check --help | sed -n '/^Checks/,$s/^  \([^ ]*\) .*/\1/p' | while read -r id; do
    "$setup" explain --no-check "$id" | grep -q "^$id$" || echo "$id"
done)
is "every check can be asked about" "$undescribed" ""

run "$setup" explain "$failed"
like "root without --user tries nothing, and says so" "$out" "was not tried here: it needs a user"
run env PATH="$path" "$setup" explain --user rltest-alice "$failed"
like "root with --user tries it" "$out" "for rltest-alice on this machine.*mapped 65537 uids"

nasty='\033]0;title\007\033[2J\0lchown \x9b1m\x80\xff/f: invalid argument\r'
run piped "$nasty" --no-check
like "odd bytes: recognised" "$out" "^Recognised: lchown"
is "... and not printed" "$(tr -d '\n -~' <<<"$out" | wc -c)" 0
run piped "$nasty" --no-check --json
is "... nor in JSON" "$(tr -d '\n -~' <<<"$out" | wc -c)" 0

run explain --json "$failed"
fits "--json of a known text fits docs/explain-schema.json" explain "$out"
run piped "$log" --json --no-check
fits "--json of a log" explain "$out"
run explain --json overlay
fits "--json of a check" explain "$out"
run explain --json "all is well"
fits "--json of an unknown text" explain "$out"

ok "each text of errors.txt is its row, and what it has one type is there" "$python" -IS \
    "$SOURCE_ROOT/tests/integration/explain/texts.py" "$setup" "$SOURCE_ROOT/rootless-setup/explain/errors.txt"

run explain --nonsense
is "an unknown option" "$rc:$out" "2:"
run explain --user rltest-bob "$failed"
like "another user's host is root's to ask" "$rc:$out:$err" "^2::.*only root"
fails "a full disk is told" bash -c "'$setup' explain --no-check overlay >/dev/full"

done_testing
