#!/bin/bash
# subid undo: what it takes back, what it refuses, and what is on record.
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

subid() {
    "$setup" subid "$@" --root "$root"
}
pair() {
    cat "$root/etc/subuid" && echo -- && cat "$root/etc/subgid"
}
records=$root/var/lib/rootless-toolkit/subid
begin() {
    fresh
    mkdir -p "$root/var/lib"
    printf '# first\nalice:100000:65536\nbob:165536:65536\n#last\n' | tee "$root/etc/subuid" >"$root/etc/subgid"
}

# ---- take back and do again ----
begin
old=$(pair)
subid del alice --range 100500-100599 >/dev/null
deleted=$(pair)
subid add --count 70000 bob >/dev/null
added=$(pair)
isnt "there is something to take back" "$added" "$deleted"
is "records are root's alone" "$(stat -c %a "$records" "$records/1")" "700
600"
before=$(fingerprint)
like "a dry run shows the diff" "$(subid undo --dry-run)" $'\n-bob:[0-9]+:70000'
is "and changes nothing" "$(fingerprint)" "$before"
like "it says what it took back" "$(subid undo)" "^taken back: change 2 \(.*subid add .*bob"
is "the last change is taken back" "$(pair)" "$deleted"
subid undo >/dev/null
is "then the one before, its line in its old place" "$(pair)" "$old"
refused "then there is no more" 1 "no change on record that could" subid undo
refused "nor twice the same" 1 "change 2 was taken back by 3 already" subid undo 2
subid undo 4 >/dev/null
is "an undo taken back does the change again" "$(pair)" "$deleted"
like "the list tells" "$(subid undo --list)" '^ +5 .*\[takes back 4\]'
subid undo >/dev/null
is "which can be taken back again" "$(pair)" "$old"

# ---- others have changed the files since ----
begin
subid del bob >/dev/null
printf 'zed:900000:10\n' >>"$root/etc/subuid"
sed -i '1i # new first' "$root/etc/subuid"
subid undo >/dev/null
is "lines of others stay, ours goes where it was" "$(cat "$root/etc/subuid")" "# new first
# first
alice:100000:65536
bob:165536:65536
#last
zed:900000:10"

begin
subid del bob >/dev/null
printf 'zed:170000:10\n' >>"$root/etc/subgid"
refused "ids that are another's by now" 1 "the range of zed" subid undo
begin
subid del bob >/dev/null
echo 'zed:x:165540:100::/:/bin/sh' >>"$root/etc/passwd"
refused "ids that are an account's by now" 1 "the user zed" subid undo
begin
subid add --count 70000 alice >/dev/null
sed -i '/:70000$/s/70000/69999/' "$root/etc/subgid"
refused "an added line that was changed" 1 "is no longer in /etc/subgid" subid undo
refused "a number that is none" 2 "number of the change" subid undo first
refused "a number that is not there" 1 "no change 77" subid undo 77
refused "two numbers" 2 "one change at a time" subid undo 1 2

# ---- a file that was not there ----
begin
rm "$root/etc/subuid" "$root/etc/subgid"
subid add alice >/dev/null
subid undo >/dev/null
is "what was made from nothing is empty again" "$(pair)" "--"

# ---- records ----
begin
for i in $(seq 70); do
    subid add --count $((65536 + i)) bob >/dev/null
    subid del bob >/dev/null
done
is "the newest 64 records stay" "$(find "$records" -type f | wc -l) $(subid undo --list | wc -l)" "64 64"
begin
rm -r "${root:?}/var"
is "an image without /var/lib keeps none, without a word" "$(subid del bob 2>&1; find "$root/var" 2>/dev/null || true)" \
    "bob: 65536 uids and 65536 gids taken back"
refused "and has nothing to take back" 1 "no change on record" subid undo
# shellcheck disable=SC2016 # the inner shell expands
if unshare -m true 2>/dev/null; then
    begin
    run unshare -m bash -c 'mount --bind "$2/var" "$2/var" && mount -o remount,ro,bind "$2/var" && "$1" subid del --root "$2" bob' \
        bash "$setup" "$root"
    is "with a read-only /var the change is made" "$rc $out" "0 bob: 65536 uids and 65536 gids taken back"
    like "and a warning says that it has no record" "$err" "cannot be undone: .*Read-only"
else
    skip "with a read-only /var the change is made" "no mount namespace can be made"
fi

# ---- who ----
begin
SUDO_UID=1234 "$setup" subid del --root "$root" bob >/dev/null
if command -v python3 >/dev/null; then
    fits "--list --json fits docs/subid-schema.json" subid "$(subid undo --list --json)"
    fits "--json fits it" subid "$(subid undo --json --dry-run)"
    is "JSON has who, what and which lines" "$(subid undo --list --json | python3 -c '
import json, sys
c = json.load(sys.stdin)["changes"][0]
print(c["number"], c["uid"], c["sudo_uid"], "del" in c["command"], c["undoes"], c["subuid"]["removed"], c["subgid"]["added"])')" \
        "1 0 1234 True None ['bob:165536:65536'] []"
    is "undo as JSON" "$(subid undo --json | python3 -c '
import json, sys
d = json.load(sys.stdin)
print(d["changed"], d["dry_run"], d["undone"]["number"])')" "True False 1"
else
    skip "JSON" "python3 is not installed"
fi

# ---- a record that is damaged ----
printf 'rubbish' >"$records/2"
refused "a file that is no record" 1 "$records/2" subid undo
done_testing
