#!/bin/bash
# subid audit: what it finds in files, beside them and on the machine, how it says it, and that it
# changes nothing.
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

audit() {
    "$setup" subid audit --root "$root" "$@"
}
# The lines "rule:file:line" of a run.
python=/usr/bin/python3
command -v $python >/dev/null || skip_all "no $python"
rules() {
    # shellcheck disable=SC2016 # python's
    audit --json | $python -c '
import json, os, sys
for f in json.load(sys.stdin)["findings"]:
    print(":".join([f["rule"], os.path.basename(f["file"] or "-"), str(f["line"] or "-")]))' || true
}
# has NAME RULE:FILE:LINE
has() {
    like "$1" " $(rules | tr '\n' ' ')" " $2 "
}
both() {
    printf '%s\n' "$@" | tee "$root/etc/subuid" >"$root/etc/subgid"
}

# ---- nothing is wrong ----
fresh
both '# ranges' 'alice:100000:65536' 'bob:165536:65536'
fingerprint >"$work/before"
run audit
is "clean files: exit status" "$rc" 0
is "clean files: only the sum" "$out" "0 errors, 0 warnings, 0 notes; 9153 blocks of ids are left to hand out"
fingerprint >"$work/after"
ok "an audit changes nothing" cmp "$work/before" "$work/after"

# ---- what is said of a line ----
fresh
both 'alice:100000:65536' 'bob:165535:65536' 'carol:300000:65536'
run audit
is "errors: exit status" "$rc" 1
like "the line, its text, whom it meets and where" "$out" \
    "$root/etc/subuid:2: bob:165535:65536
 +shares 1 ids \(165535-165535\) with line 1, alice:100000:65536"
like "an error, its name and meaning come first" "$out" "^error: overlap: ids are given to two owners"
run audit --level error
unlike "--level=error leaves warnings out" "$out" "owner-gone"
is "and counts errors" "$rc" 1
both 'carol:300000:65536'
run audit --level=error
is "no error, though warnings: 0 under --level=error" "$rc" 0
run audit
is "a warning: 1" "$rc" 1
both 'alice:600100001:65536'
run audit
is "notes only: 0" "$rc:${out%%:*}" "0:note"

# ---- a terminal is not commanded ----
fresh
both $'\033[2Jalice:1'
run audit
unlike "control characters are shown, not sent" "$out" $'\033'
like "as hexadecimal" "$out" 'x1b\[2Jalice:1'

# ---- files as files ----
fresh
both 'alice:100000:65536'
chmod 666 "$root/etc/subuid"
chown 12 "$root/etc/subgid"
has "writable for everybody" "file-writable:subuid:-"
has "somebody's file" "file-owner:subgid:-"
chmod 600 "$root/etc/subgid"
has "users may not read it" "file-unreadable:subgid:-"
rm "$root/etc/subgid"
has "one is missing" "file-missing:subgid:-"
ln -s subuid "$root/etc/subgid"
has "a link" "file-link:subgid:-"
rm "$root/etc/subgid"
mkdir "$root/etc/subgid"
has "a folder" "file-type:subgid:-"
rmdir "$root/etc/subgid"

fresh
both 'alice:100000:65536'
true & gone=$!
wait $gone
sleep 600 & alive=$!
printf '%d\0' $gone >"$root/etc/subuid.lock"
printf '%d\0' $alive >"$root/etc/subgid.lock"
touch "$root/etc/subgid.$gone" "$root/etc/subuid.$alive" "$root/etc/subuid.cioa1b2c3" "$root/etc/subuid.bak"
found=$(rules | tr '\n' ' ')
is "a dead process's lock and file; a live one's, a copy, or one in use are not" "$found" \
    "stale-lock:subuid.lock:- leftover:subgid.$gone:- "
rm "$root/etc/"*.lock
has "an unfinished file once nobody holds a lock" "leftover:subuid.cioa1b2c3:-"
kill $alive
wait $alive 2>/dev/null || true

# ---- homes, nsswitch.conf, login.defs ----
fresh
both 'alice:100000:65536'
mkdir -p "$root/home/bob" "$root/home/alice"
chown 100005:100 "$root/home/bob"
chown 100006 "$root/home/alice"
has "a home that belongs to another's id" "home:subuid:1"
is "one's own home may" "$(rules | grep -c '^home:')" 1
echo 'subid: sss files' >"$root/etc/nsswitch.conf"
run audit
like "a plug-in is said first" "$out" "^The files are not consulted: nsswitch.conf names the plug-in sss"
rm "$root/etc/nsswitch.conf"
echo 'SUB_UID_MAX 1000000' >"$root/etc/login.defs"
has "few blocks are left" "window-full:-:-"
echo 'SUB_UID_MAX many' >"$root/etc/login.defs"
has "login.defs is wrong" "window-bad:-:-"

# ---- JSON ----
if $python -c 'import jsonschema' 2>/dev/null; then
    valid() {
        $python - "$SOURCE_ROOT/docs/subid-audit-schema.json" "$1" <<'END'
import json, sys, warnings
warnings.simplefilter("ignore")
import jsonschema
schema, report = (json.load(open(path)) for path in sys.argv[1:])
jsonschema.Draft202012Validator.check_schema(schema)
jsonschema.Draft202012Validator(schema).validate(report)
sums = {"error": 0, "warning": 0, "note": 0}
for finding in report["findings"]:
    sums[finding["level"]] += 1
assert report["summary"] == {level + "s": n for level, n in sums.items()}, sums
END
    }
    printf 'alice:1\xff\r\nalice:1:0\n:1:1\n+x\nbob: 07:0x9\n1000:5:5\nghost:1:4294967295\n\0\n!x:1:1' \
        >"$root/etc/subuid"
    chmod 666 "$root/etc/subuid"
    audit --json >"$work/json" || true
    ok "--json of many findings fits docs/subid-audit-schema.json" valid "$work/json"
    fresh
    audit --json >"$work/json"
    ok "and of none" valid "$work/json"
else
    skip "--json fits the schema" "python3-jsonschema is not installed"
fi

# ---- the machine itself: who is not listed, or cannot be asked for ----
useradd -M -N -u 47100 -K SUB_UID_COUNT=0 -K SUB_GID_COUNT=0 rltest-here
printf 'rltest-here:100000:65536\nrltest-gone:200000:65536\n' | tee /etc/subuid >/etc/subgid
run "$setup" subid audit
like "live: a user who is gone" "$out" "/etc/subuid:2: rltest-gone"
unlike "live: one who is there" "$out" "no user rltest-here"
# libc's source hesiod is not set up here, so it cannot answer.
sed -i '/^passwd:/d' /etc/nsswitch.conf
echo 'passwd: files hesiod' >>/etc/nsswitch.conf
run "$setup" subid audit
unlike "a source that cannot be asked makes nobody gone" "$out" "owner-gone"
like "it is said" "$out" "owner-unknown"

# ---- many ----
fresh
rm "$root/etc/passwd"
seq 10000 | sed 's/.*/u&:x:&:100::\/:\/bin\/sh/' | sed 's/:x:/:x:300000/' >"$root/etc/passwd"
seq 0 99999 | awk '{ print "u" $1 % 10000 + 1 ":" 1000000 + $1 * 10 ":12" }' |
    tee "$root/etc/subuid" >"$root/etc/subgid"
run timeout 60 "$setup" subid audit --root "$root" --level error
like "100 000 lines that all overlap: each is named" "$out" "etc/subgid:100000: "

# ---- the command line ----
run audit --level bad
is "an unknown level" "$rc" 2
run audit alice
is "a word too many" "$rc" 2
run "$setup" subid audit --root /nonexistent
is "nothing to look at" "$rc:$out" "3:"
done_testing
