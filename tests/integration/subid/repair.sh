#!/bin/bash
# subid repair: what it mends, what it leaves and says why, and that a second run changes nothing.
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

repair() {
    "$setup" subid repair --root "$root" "$@"
}
broken() {
    fresh
    mkdir -p "$root/var/lib"
    printf '%s' '# ranges
alice:0x186a0:65536
bob:200000:65536
bob:200000:65536
bob:260000:10000
ghost:700000:10
' >"$root/etc/subuid"
    printf 'evil\r\ncarol:300000:65536\r\nalice:100000:65536' >"$root/etc/subgid"
    echo 'carol:x:1010:1010::/home/carol:/bin/sh' >>"$root/etc/passwd"
    chmod 664 "$root/etc/subuid"
    true & gone=$!
    wait $gone
    printf '%d\0' $gone >"$root/etc/subgid.lock"
    touch "$root/etc/subuid.$gone" "$root/etc/subgid.cioABCDEF"
}
wanted_uids='# ranges
alice:100000:65536
bob:200000:70000
ghost:700000:10
carol:300000:65536'
wanted_gids=$'evil\r
carol:300000:65536
alice:100000:65536
bob:200000:70000'

# ---- a dry run ----
broken
fingerprint >"$work/before"
run repair --dry-run
diff=$out
fingerprint >"$work/after"
is "dry run: exit status" "$rc" 0
ok "a dry run changes nothing" cmp "$work/before" "$work/after"
fits "what it would mend fits docs/subid-schema.json" subid "$(repair --dry-run --json)"
if command -v patch >/dev/null; then
    cp -r "$root" "$work/patched"
    (cd / && for file in subuid subgid; do
        awk -v file="$file" '/^--- /{ on = index($0, file) } on' <<<"$diff" |
            patch -s --posix --binary "$work/patched/etc/$file"
    done)
    is "its diff is the change: subuid" "$(cat "$work/patched/etc/subuid")" "$wanted_uids"
    is "its diff is the change: subgid" "$(cat "$work/patched/etc/subgid")" "$wanted_gids"
else
    skip "its diff is the change" "patch is not installed"
fi

# ---- the change ----
run repair
is "exit status" "$rc" 0
is "subuid: plain, merged, the twin; the gone user stays" "$(cat "$root/etc/subuid")" "$wanted_uids"
is "subgid: the carriage return goes, the newline and the twin come" "$(cat "$root/etc/subgid")" \
    "$wanted_gids"
is "the last byte is a newline" "$(tail -c 1 "$root/etc/subgid" | od -An -c | tr -d ' ')" '\n'
is "others may not write it" "$(stat -c %a "$root/etc/subuid")" 644
is "locks and leftovers are gone" "$(find "$root/etc" -name '*.*' | wc -l)" 0
like "what was mended is said" "$out" "is now alice:100000:65536"
like "what is left is said, and why" "$out" \
    "Left:.*owner-gone: .*--remove-gone only, since files may belong to the ids"

"$setup" subid undo --root "$root" >/dev/null
is "undo takes the repair back" "$(head -2 "$root/etc/subuid" | tail -1)" "alice:0x186a0:65536"
repair >/dev/null
is "and it can be done again" "$(cat "$root/etc/subuid")" "$wanted_uids"

fingerprint >"$work/before"
run repair
fingerprint >"$work/after"
like "again: nothing to mend" "$rc:$out" "^0:Nothing to mend"
ok "and no file is touched" cmp "$work/before" "$work/after"
fits "... and JSON fits docs/subid-schema.json" subid "$(repair --json)"
is "JSON says so" "$(repair --json | grep -c '"changed": false')" 1

repair --remove-gone >/dev/null
is "--remove-gone takes the gone user's line" "$(grep -c ghost "$root/etc/subuid" || true)" 0
rm "$root/etc/passwd"
fingerprint >"$work/before"
run repair --remove-gone
fingerprint >"$work/after"
ok "where nobody is known, nobody is gone" cmp "$work/before" "$work/after"

# ---- what is left ----
fresh
printf 'alice:100000:65536\nbob:100000:65536\nbroken\n' | tee "$root/etc/subuid" >"$root/etc/subgid"
fingerprint >"$work/before"
run repair
fingerprint >"$work/after"
like "overlaps and broken lines are left" "$rc:$out" "^0:Nothing to mend.*overlap: .*reader-all: |reader-all: .*overlap: "
ok "untouched" cmp "$work/before" "$work/after"

# ---- what is refused ----
fresh
printf 'alice: 100000:65536\n' | tee "$root/etc/subuid" >"$root/etc/subgid"
sleep 600 & holder=$!
printf '%d\0' $holder >"$root/etc/subuid.lock"
refused "locked by a live process" 1 "is locked by process $holder (sleep)" repair --wait 0
kill $holder
wait $holder 2>/dev/null || true
rm "$root/etc/subuid.lock"
refused "an unknown option" 2 "unknown option --frob" repair --frob
refused "a word" 2 "no word" repair alice
mv "$root/etc/subgid" "$root/etc/elsewhere"
ln -s elsewhere "$root/etc/subgid"
refused "a symbolic link" 1 "symbolic link" repair
done_testing
