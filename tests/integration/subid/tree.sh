#!/bin/bash
# subid add, del and list on the tree of an image: what they write, keep and refuse.
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

subid() {
    "$setup" subid "$@"
}

# ---- add ----
fresh
is "add says what it gave" "$(subid add --root "$root" alice bob)" \
    "alice: 65536 uids and gids from 100000 to 165535
bob: 65536 uids and gids from 165536 to 231071"
is "both files are made" "$(cat "$root/etc/subuid" "$root/etc/subgid")" \
    "alice:100000:65536
bob:165536:65536
alice:100000:65536
bob:165536:65536"
is "new files have mode 0644" "$(stat -c '%a %U %G' "$root/etc/subuid")" "644 root root"
before=$(fingerprint)
is "again: left alone, and said" "$(subid add --root "$root" alice)" \
    "alice: has 65536 uids and 65536 gids already, left as it is"
is "and no file is touched" "$(fingerprint)" "$before"
is "nothing but the files is there" "$(find "$root/etc" -type f -printf '%f\n' | sort | tr '\n' ' ')" \
    "group passwd subgid subuid "
is "a uid is a user too" "$(subid add --root "$root" --count 70000 1001)" \
    "bob: 70000 uids and gids from 231072 to 301071"

fresh
printf '# first\n\nzed:100000:10\nbroken\n#last' >"$root/etc/subuid"
printf 'zed:100000:65536\n' >"$root/etc/subgid"
chmod 0640 "$root/etc/subuid"
chown 1:2 "$root/etc/subuid"
attributes="getfattr --absolute-names -d -m ^user|^trusted|^security"
if setfattr -n user.rltest -v kept "$root/etc/subuid" 2>/dev/null; then kept=user; else kept=; fi
if setfattr -n trusted.rltest -v kept "$root/etc/subuid" 2>/dev/null; then kept="$kept trusted"; fi
if setfacl -m u:3:r "$root/etc/subuid" 2>/dev/null; then kept="$kept acl"; fi
looks=$(stat -c '%a %u:%g' "$root/etc/subuid"
    getfacl -cp "$root/etc/subuid" 2>/dev/null || true
    $attributes "$root/etc/subuid" 2>/dev/null || true)
subid add --root "$root" alice >/dev/null
is "comments, order and odd lines stay; a missing newline is mended" "$(cat "$root/etc/subuid")" \
    "# first

zed:100000:10
broken
#last
alice:165536:65536"
is "the backup is the old file" "$(cat "$root/etc/subuid-")" "$(printf '# first\n\nzed:100000:10\nbroken\n#last')"
if [ -n "$kept" ]; then
    is "mode, owner and $kept stay" "$(stat -c '%a %u:%g' "$root/etc/subuid"
        getfacl -cp "$root/etc/subuid" 2>/dev/null || true
        $attributes "$root/etc/subuid" 2>/dev/null || true)" "$looks"
else
    skip "attributes stay" "this file system has none"
fi

# ---- dry run ----
fresh
printf 'zed:100000:10\nalice:1:1' >"$root/etc/subuid"
before=$(fingerprint)
subid add --root "$root" --dry-run alice bob >"$work/diff"
subid del --root "$root" -n zed >/dev/null
is "a dry run changes nothing" "$(fingerprint)" "$before"
if command -v patch >/dev/null; then
    cp -r "$root" "$work/patched"
    subid add --root "$root" alice bob >/dev/null
    (cd / && patch -s -p0 --posix "$work/patched/etc/subuid" <(sed -n '/subgid/q;p' "$work/diff")) || true
    is "its diff is what is done" "$(cat "$work/patched/etc/subuid")" "$(cat "$root/etc/subuid")"
else
    skip "its diff is what is done" "patch is not installed"
fi

# ---- del and list ----
fresh
printf '# c\nbob:5000000:10\nalice:100000:1000\n1000:200000:10\nghost:7000000:5\n' >"$root/etc/subuid"
printf 'alice:100000:1000\n' >"$root/etc/subgid"
is "list of all" "$(subid list --root "$root" | tr -s ' ')" "bob uid 5000000 - 5000009 10
alice uid 100000 - 100999 1000
1000 uid 200000 - 200009 10
ghost uid 7000000 - 7000004 5
alice gid 100000 - 100999 1000"
is "list of one, by name and number" "$(subid list alice --root "$root" | tr -s ' ')" "alice uid 100000 - 100999 1000
1000 uid 200000 - 200009 10
alice gid 100000 - 100999 1000"
refused "list of one who has none" 1 "root has no subordinate ids" subid list root --root "$root"
is "del within a range" "$(subid del --root "$root" alice --range 100500-100599)" \
    "alice: 100 uids and 100 gids taken back"
is "the range is split in its place" "$(cat "$root/etc/subuid")" "# c
bob:5000000:10
alice:100000:500
alice:100600:400
1000:200000:10
ghost:7000000:5"
is "del of all" "$(subid del --root "$root" alice)" "alice: 910 uids and 900 gids taken back"
is "del of a user who is gone" "$(subid del --root "$root" ghost)" "ghost: 5 uids and 0 gids taken back"
is "only the others are left" "$(cat "$root/etc/subuid" "$root/etc/subgid")" "# c
bob:5000000:10"
before=$(fingerprint)
is "del again" "$(subid del --root "$root" alice)" "alice: has no such ids, nothing to take back"
is "touches nothing" "$(fingerprint)" "$before"

# ---- JSON ----
json() {
    python3 -c "import json,sys; d=json.load(sys.stdin); print($1)"
}
if command -v python3 >/dev/null; then
    is "add as JSON" "$(subid add --root "$root" --json alice |
        json 'd["changed"], d["users"][0]["user"], d["users"][0]["gids"]["added"][0]["start"]')" \
        "True alice 100000"
    fits "add --json fits docs/subid-schema.json" subid "$(subid add --root "$root" --json --dry-run alice -r 700000-700009 -r 800000-800000)"
    fits "... where nothing was to be done" subid "$(subid add --root "$root" --json alice)"
    fits "list --json fits it" subid "$(subid list --root "$root" --json)"
    fits "del --json fits it" subid "$(subid del --root "$root" --json --dry-run alice)"
    is "list as JSON" "$(subid list --root "$root" --json alice | json 'len(d["ranges"])')" 2
    is "del as JSON" "$(subid del --root "$root" alice --json | json 'd["users"][0]["uids_removed"]')" 65536
else
    skip "JSON" "python3 is not installed"
fi

# ---- what is refused ----
fresh
printf 'bob:100000:65536\n' | tee "$root/etc/subuid" >"$root/etc/subgid"
add=(subid add --root "$root")
refused "no user" 2 "whom?" "${add[@]}"
refused "unknown option" 2 "unknown option --frob" "${add[@]}" --frob alice
refused "count of 0" 2 "--count" "${add[@]}" --count 0 alice
refused "count that is none" 2 "--count" "${add[@]}" --count many alice
refused "a range for two" 2 "--range" "${add[@]}" --range 1-2 alice bob
refused "a range backwards" 1 "is no range of ids" "${add[@]}" --range 300000-200000 alice
refused "a range of another" 1 "the range of bob" "${add[@]}" --range 90000-100000 alice
refused "an unknown user beside a known one" 1 'there is no user "ghost"' "${add[@]}" alice ghost
refused "a name of digits" 1 "is read as a uid" "${add[@]}" 1234
refused "a name that begins with a dash" 1 "first character" "${add[@]}" -- -dash
refused "a name with a newline" 1 "there is no user" "${add[@]}" "$(printf 'a\nb:1:1')"
refused "more than there is" 1 "do not fit" "${add[@]}" --count 4000000000 alice
refused "no such root" 1 "/nonexistent" subid add --root /nonexistent alice
refused "no such command" 2 "unknown command" subid frob
echo 'SUB_UID_MAX 170000' >"$root/etc/login.defs"
refused "no gap left" 1 "SUB_UID_MAX" "${add[@]}" alice
rm "$root/etc/login.defs"

mv "$root/etc/subgid" "$root/etc/elsewhere"
ln -s elsewhere "$root/etc/subgid"
refused "a symbolic link" 1 "symbolic link" "${add[@]}" alice
rm "$root/etc/subgid"
mv "$root/etc/elsewhere" "$root/etc/subgid"

if command -v setpriv >/dev/null; then
    refused "no permission" 1 "run this as root" \
        setpriv --reuid 65534 --regid 65534 --clear-groups "$setup" subid add --root "$root" alice
else
    skip "no permission" "setpriv is not installed"
fi

# ---- locks ----
sleep 600 &
holder=$!
printf '%d\0' $holder >"$root/etc/subgid.lock"
refused "locked by a live process" 1 "/etc/subgid is locked by process $holder (sleep)" \
    "${add[@]}" --wait 0 alice
kill $holder
wait $holder || true
is "a lock of a process that is gone gives way" "$("${add[@]}" alice; find "$root/etc" -name '*lock*' | wc -l)" \
    "alice: 65536 uids and gids from 165536 to 231071
0"
: >"$root/etc/subuid.lock"
refused "a lock without a process id" 1 "holds no process id" "${add[@]}" --wait 0 --count 70000 alice
rm "$root/etc/subuid.lock"

# ---- file systems that refuse ----
# in_mounts SCRIPT: in a mount namespace, with $1 the program and $2 the tree
# shellcheck disable=SC2016 # the inner shell expands
in_mounts() {
    unshare -m bash -c "$1" bash "$setup" "$root"
}
# shellcheck disable=SC2016 # the inner shell expands
if unshare -m true 2>/dev/null; then
    mkdir "$root/mnt"
    refused "read-only" 1 "read-only" in_mounts \
        'mount --bind "$2" "$2" && mount -o remount,ro,bind "$2" && "$1" subid add --root "$2" --count 70000 alice'
    refused "the second file cannot be replaced: the first is put back" 1 "mount point" in_mounts \
        'mount --bind "$2/etc/subgid" "$2/etc/subgid" && "$1" subid add --root "$2" --count 70000 alice'
    full='mount -t tmpfs -o size=64k none "$2/mnt" && cp -a "$2/etc" "$2/mnt" &&
        { head -c 1M /dev/zero >"$2/mnt/fill" || true; } 2>/dev/null; before=$(ls -A "$2/mnt/etc"; cat "$2/mnt/etc/"*)
        "$1" subid add --root "$2/mnt" --count 70000 alice && exit 0
        [ "$before" = "$(ls -A "$2/mnt/etc"; cat "$2/mnt/etc/"*)" ] || echo changed'
    refused "no space left" 0 "No space left" in_mounts "$full"
else
    skip "file systems that refuse" "no mount namespace can be made"
fi
done_testing
