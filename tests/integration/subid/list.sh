#!/bin/bash
# subid list: everybody, one user, the holder of an id, totals.
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

list() {
    "$setup" subid list --root "$root" "$@"
}
words() {
    tr -s ' '
}
fresh
echo 'alias:x:1000:1000::/:/bin/sh' >>"$root/etc/passwd"
printf '# c\nalice:100000:10\nbob:100005:10\nalias:300000:10\n1000:400000:10\n' >"$root/etc/subuid"
printf 'bob:100000:3\nx:0:0\n' >"$root/etc/subgid"

is "one user: name, number, other names of his uid" "$(list alice | words)" "alice uid 100000 - 100009 10
1000 uid 400000 - 400009 10
alias uid 300000 - 300009 10"
is "who holds an id" "$(list --owner-of 100005 | words)" "alice uid 100000 - 100009 10
bob uid 100005 - 100014 10"
is "its first and last id count" "$(list -o 100014 | words; list -o 100002 | words)" "bob uid 100005 - 100014 10
alice uid 100000 - 100009 10
bob gid 100000 - 100002 3"
is "does he hold it" "$(list --owner-of 400000 alice | words)" "1000 uid 400000 - 400009 10"
refused "nobody holds it" 1 "id 100015 is no subordinate id of anybody" list --owner-of 100015
refused "he does not" 1 "id 400000 is no subordinate id of bob" list --owner-of 400000 bob
refused "no id" 1 "--owner-of" list --owner-of alice
is "totals: an id counts once" "$(list --total | words)" "uid 4 35
gid 1 3"
is "totals of one" "$(list -t alice | words)" "uid 3 30
gid 0 0"
if command -v python3 >/dev/null; then
    is "as JSON" "$(list --json --owner-of 100002 | python3 -c 'import json, sys
d = json.load(sys.stdin)
print([(r["kind"], r["owner"]) for r in d["ranges"]], d["total"]["uid"], d["total"]["gid"])')" \
        "[('uid', 'alice'), ('gid', 'bob')] {'ranges': 1, 'ids': 10} {'ranges': 1, 'ids': 3}"
    run list --json --owner-of 7
    is "nothing found, as JSON: status 1 and an empty list" "$rc $(python3 -c 'import json, sys
print(json.load(sys.stdin)["ranges"])' <<<"$out")" "1 []"
    fits "... which fits docs/subid-schema.json" subid "$out"
else
    skip "as JSON" "python3 is not installed"
fi
echo 'subid: sss' >"$root/etc/nsswitch.conf"
refused "what only files can be asked" 1 "subordinate ids come from sss" list --owner-of 100002
done_testing
