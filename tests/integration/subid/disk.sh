#!/bin/bash
# What a change keeps of the files, and file systems that refuse: nothing is lost, and it says why.
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

add=("$setup" subid add --root "$root" --count 70000 alice)

begin() {
    fresh
    mkdir -p "$root/var/lib"
    printf '# c\nalice:100000:10\nnot a range\r\n#last\n' | tee "$root/etc/subuid" >"$root/etc/subgid"
}

looks() {
    stat -c '%a %u:%g' "$root/etc/subuid" "$root/etc/subgid"
    getfacl -cp "$root/etc/subuid" 2>/dev/null || true
    getfattr --absolute-names -d -m - "$root/etc/subuid" 2>/dev/null || true
}

# ---- what stays ----
begin
chmod 0604 "$root/etc/subuid"
chown 3:4 "$root/etc/subgid"
kept="mode owner"
for attribute in user.rltest trusted.rltest security.selinux; do
    setfattr -n $attribute -v kept "$root/etc/subuid" 2>/dev/null && kept="$kept $attribute"
done
setfacl -m u:3:r "$root/etc/subuid" 2>/dev/null && kept="$kept ACL"
before=$(looks)
"${add[@]}" >/dev/null
is "add keeps $kept" "$(looks)" "$before"
"$setup" subid undo --root "$root" >/dev/null
is "undo keeps them" "$(looks)" "$before"
is "comments, order and odd lines are byte for byte what they were" "$(md5sum <"$root/etc/subuid")" \
    "$(printf '# c\nalice:100000:10\nnot a range\r\n#last\n' | md5sum)"

# ---- links and attributes ----
begin
mv "$root/etc/subuid" "$root/etc/target"
ln -s target "$root/etc/subuid"
refused "subuid is a symbolic link" 1 "symbolic link" "${add[@]}"
begin
if chattr +i "$root/etc/subgid" 2>/dev/null; then
    refused "subgid is immutable" 1 "immutable" "${add[@]}"
    chattr -i "$root/etc/subgid"
    ok "once it is not, the same works" "${add[@]}"
    begin
    chattr +i "$root/etc"
    refused "/etc is immutable" 1 "immutable" "${add[@]}"
    chattr -i "$root/etc"
else
    skip "immutable files" "no chattr on this file system"
fi

# ---- mounts ----
# in_mounts SCRIPT: in a mount namespace, with $1 the program and $2 the tree
in_mounts() {
    unshare -m bash -c "$1" bash "$setup" "$root"
}
# shellcheck disable=SC2016 # the inner shell expands
if unshare -m true 2>/dev/null; then
    begin
    refused "/etc is read-only" 1 "read-only" in_mounts \
        'mount --bind "$2/etc" "$2/etc" && mount -o remount,ro,bind "$2/etc" && "$1" subid add --root "$2" --count 70000 alice'
    for size in 24 28 32 36; do
        begin
        mkdir "$root/mnt"
        # pages left: from none up to enough
        run in_mounts 'mount -t tmpfs -o size='$size'k none "$2/mnt" && mkdir "$2/mnt/etc" &&
            cp "$2/etc/passwd" "$2/etc/subuid" "$2/etc/subgid" "$2/mnt/etc/" || exit 9
            before=$(cat "$2/mnt/etc/subuid" "$2/mnt/etc/subgid" | md5sum)
            "$1" subid add --root "$2/mnt" --count 70000 alice && exit
            ls -A "$2/mnt/etc"
            [ "$before" = "$(cat "$2/mnt/etc/subuid" "$2/mnt/etc/subgid" | md5sum)" ] || echo changed'
        if [[ $out == alice:* ]]; then
            pass "a disk of ${size}k: it fits"
        else
            is "a disk of ${size}k: refused, nothing changed or left ($err)" "$out" $'passwd\nsubgid\nsubuid'
        fi
    done
    begin
    mkdir -p "$work/over" "$root/over/etc"
    overlay='mount -t overlay -o lowerdir="$2/etc",upperdir="$2/../over/upper",workdir="$2/../over/work" none "$2/over/etc" || exit 9'
    mount -t tmpfs rltest-over "$work/over"
    mkdir -p "$work/over/upper" "$work/over/work"
    run in_mounts "$overlay"'
        "$1" subid add --root "$2/over" --count 70000 alice && "$1" subid del --root "$2/over" alice --range 1-2 &&
        cat "$2/over/etc/subuid" && ls -A "$2/over/etc"'
    if [ "$rc" -eq 9 ]; then
        skip "/etc on an overlay" "overlay cannot be mounted here"
    else
        like "/etc on an overlay: lower files are replaced" "$out" \
            $'alice:100000:10\nnot a range\r\n#last\nalice:[0-9]+:70000\ngroup\npasswd\nsubgid\nsubgid-\nsubuid\nsubuid-$'
        is "the lower files stay" "$(md5sum <"$root/etc/subuid")" "$(printf '# c\nalice:100000:10\nnot a range\r\n#last\n' | md5sum)"
    fi
else
    skip "file systems that refuse" "no mount namespace can be made"
fi

# ---- the lock of a process that a power cut ended ----
begin
: >"$root/etc/.pwd.lock"
sleep 600 &
other=$!
printf '%d\0' $other >"$root/etc/subuid.lock"
touch -d '1 hour ago' "$root/etc/subuid.lock"
ok "a lock older than the process that has its pid now gives way" "${add[@]}"
printf '%d\0' $other >"$root/etc/subuid.lock"
refused "one as young as the process does not" 1 "locked by process $other" \
    "$setup" subid add --root "$root" --wait 0 --count 80000 alice
kill $other
wait $other 2>/dev/null || true
done_testing
