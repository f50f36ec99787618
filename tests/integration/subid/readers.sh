#!/bin/bash
# Other programs that read the files: what we write they read alike, and what the audit says that
# they do with a bad line they do.
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

userns() {
    unshare --user true 2>/dev/null
}
userns || skip_all "no user namespace can be made"
make_user readers none
# PATH is Debian's: its newuidmap is what these programs call.
command -v newuidmap >/dev/null || skip_all "newuidmap is not installed"

files() { # LINE...: both files
    printf '%s\n' "$@" | tee /etc/subuid >/etc/subgid
}
# crun refuses the mixed hierarchies of some machines; ours alone sees this one.
mount -t cgroup2 rltest-cgroup /sys/fs/cgroup 2>/dev/null || true
# Each prints the uid map it makes as the user, in lines "inside outside count".
map_by_unshare() {
    as_user unshare --user --map-auto cat /proc/self/uid_map
}
map_by_buildah() {
    as_user buildah unshare cat /proc/self/uid_map
}
map_by_rootlesskit() {
    as_user /usr/bin/rootlesskit --subid-source=static cat /proc/self/uid_map
}
map_by_crun() {
    rm -rf "$work/bundle"
    install -d -o "$uid" "$work/bundle" "$work/bundle/state" \
        "$work/bundle/rootfs" "$work/bundle/rootfs/dev" "$work/bundle/rootfs/proc"
    cp /bin/busybox "$work/bundle/rootfs/"
    cat >"$work/bundle/config.json" <<'END'
{"ociVersion": "1.0.0", "root": {"path": "rootfs"},
 "process": {"user": {"uid": 0, "gid": 0}, "cwd": "/", "args": ["/busybox", "cat", "/proc/self/uid_map"]},
 "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
 "linux": {"namespaces": [{"type": "user"}, {"type": "mount"}, {"type": "pid"}]}}
END
    as_user crun --root "$work/bundle/state" --cgroup-manager disabled run --bundle "$work/bundle" "rltest-$$"
}
# The program is there and makes a map of this machine at all (nested containers may forbid it).
works() {
    command -v "$2" >/dev/null && run "map_by_$1" && [ "$rc" = 0 ] && [ -n "$out" ]
}
covers() { # RANGE-START COUNT: the last map has all its ids
    awk -v start="$1" -v count="$2" '
        $2 >= start && $2 + $3 <= start + count { n += $3 } END { exit n != count }' <<<"$out"
}

# ---- what our writer makes ----
: >/etc/subuid
: >/etc/subgid
"$setup" subid add "$user" >/dev/null
start=$(cut -d: -f2 /etc/subuid)
usable=
for reader in unshare:unshare buildah:buildah rootlesskit:/usr/bin/rootlesskit crun:crun; do
    name=${reader%%:*}
    if works "$name" "${reader#*:}"; then
        usable="$usable $name "
        ok "$name maps the range that add gave" covers "$start" 65536
    else
        skip "$name maps the range that add gave" "$name is not there or makes no map here: ${err:-}"
    fi
done

# claims READER LINE EFFECT: the audit says so of the line, and the reader does it.
finding() {
    "$setup" subid audit --json | /usr/bin/python3 -c '
import json, sys
for f in json.load(sys.stdin)["findings"]:
    if f["rule"].startswith("reader-"):
        print(f["rule"], f["message"])' || true
}
refuses() { # NAME READER TITLE RULE LINE...
    local reader=$1 title=$2 rule=$3
    shift 3
    if [[ $usable != *" $reader "* ]]; then
        skip "$reader: $title" "$reader is not there or makes no map here"
        return
    fi
    files "$@"
    like "$reader: the audit says: $title" "$(finding)" "$rule"
    run "map_by_$reader"
    if [ "$rc" = 0 ] && covers "$start" 65536; then
        fail "$reader: $title" "it made the map: $out"
    else
        pass "$reader: $title"
    fi
}
refuses rootlesskit "stops for everybody at a line of two fields" \
    "reader-all stop for everybody: .*RootlessKit" "$user:$start:65536" "broken:1"
refuses rootlesskit "stops at a number that is not plain" \
    "reader-owner stop with an error for the owner: .*RootlessKit" "$user: $start:65536"
refuses unshare "stops at a hexadecimal number" \
    "reader-owner .*stop with an error for the owner: .*unshare" "$user:$(printf '0x%x' "$start"):65536"
refuses unshare "uses the first line only" "reader-first .*unshare" "$user:50000000:9" "$user:$start:65536"
refuses crun "finds no owner by number" "reader-number .*crun" "$uid:$start:65536"
refuses crun "uses the first line only" "reader-first .*crun" "$user:50000000:9" "$user:$start:65536"
refuses crun "reads no hexadecimal number" "reader-owner .*crun" \
    "$user:$(printf '0x%x' "$start"):65536"

# ---- repair makes them read it ----
files "$user:$(printf '0x%x' "$start"):65536" "$user: $start:10"
"$setup" subid repair >/dev/null
for name in $usable; do
    run "map_by_$name"
    ok "$name maps the range after a repair" covers "$start" 65536
done
done_testing
