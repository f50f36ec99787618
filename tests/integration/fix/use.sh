#!/bin/bash
# fix on a running machine, which is a network and mounts of the test's own: sysctls, modules, device
# modes, systemd, each there and back, byte for byte.
set -eu
own_network=1
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

ping=/proc/sys/net/ipv4/ping_group_range ports=/proc/sys/net/ipv4/ip_unprivileged_port_start
before=$(tree /etc)
was_ping=$(cat $ping) was_ports=$(cat $ports)
values() { echo "$(cat $ping) $(cat $ports)"; }
was=$(values)
as_it_was() { # WHAT
    is "$1: /etc is as it was" "$(diff <(echo "$before") <(tree /etc))" ""
    is "$1: the values are as they were" "$(values)" "$was"
}

run as_alice "$setup" fix net.ping
like "a user is told what to type" "$rc:$err" "^1:.*sudo rootless-setup fix"
run as_alice "$setup" undo
like "... for undo too" "$rc:$err" "^1:.*sudo rootless-setup undo"
run as_alice "$setup" fix --dry-run net.ping
like "a user may ask what would be done" "$rc:$out" "^0:.*write /etc/sysctl.d/60-rootless-ping.conf:.*\| net.ipv4.ping_group_range = 0 2147483647.*set net.ipv4.ping_group_range = 0 2147483647 \(it is 1 0\).*Nothing was done"
run fix --dry-run net.ping net.ports
is "--dry-run: status" "$rc" 0
as_it_was "--dry-run"
is "--dry-run: no record" "$(ls /var/lib/rootless-toolkit)" ""

run fix --user rltest-alice net.ping net.ports
is "fix: status" "$rc:$err" "0:"
is "fix: the file of ping" "$(cat /etc/sysctl.d/60-rootless-ping.conf)" "net.ipv4.ping_group_range = 0 2147483647"
is "fix: its mode" "$(stat -c '%a %u:%g' /etc/sysctl.d/60-rootless-ping.conf)" "644 0:0"
is "fix: the file of ports" "$(cat /etc/sysctl.d/60-rootless-ports.conf)" "net.ipv4.ip_unprivileged_port_start = 80"
is "fix: the running values" "$(values | tr -s '\t' ' ')" "0 2147483647 80"
like "fix: the checks pass now" "$out" "net.ping for rltest-alice: ok .*net.ports for rltest-alice: ok "
check net.ping net.ports
expect "... as check finds too" 0 net.ping ok ""
ok "sysctl reads the file" sysctl -p /etc/sysctl.d/60-rootless-ping.conf

fixed=$(tree /etc)
record=$(cat /var/lib/rootless-toolkit/fix/record)
run fix net.ping net.ports
like "a second time: nothing to do" "$rc:$out" "^0:net.ping:.*nothing to do.*net.ports:.*nothing to do"
is "... and nothing changes" "$(tree /etc)$(cat /var/lib/rootless-toolkit/fix/record)" "$fixed$record"

run undo --dry-run
like "undo --dry-run" "$rc:$out" "^0:.*set net.ipv4.ip_unprivileged_port_start = $was_ports.*remove /etc/sysctl.d/60-rootless-ping.conf.*Nothing was done"
is "... does nothing" "$(tree /etc)" "$fixed"
run undo net.ports
is "undo of one check" "$rc:$(cat $ports):$(ls /etc/sysctl.d/60-rootless-*)" "0:$was_ports:/etc/sysctl.d/60-rootless-ping.conf"
run undo
is "undo of all: status" "$rc:$err" "0:"
as_it_was "undo"
is "undo: no record is left" "$(ls /var/lib/rootless-toolkit/fix)" ""
run undo
like "undo once more" "$rc:$out" "^0:nothing to undo"

# For programs.
run fix --json --dry-run --user rltest-alice net.ping
fits "fix --json --dry-run fits docs/fix-schema.json" fix "$out"
says_json() { # WHAT PYTHON: true of the report, r
    is "$1" "$("$python" -IS -c "import json, sys; r = json.load(sys.stdin); print($2)" <<<"$out")" True
}
says_json "... planned, and nothing is done" "not r['changed'] and r['dry_run'] and r['checks'][0]['outcome'] == 'planned' and r['checks'][0]['now'] is None"
run fix --json --user rltest-alice net.ping net.ports userns
fits "fix --json fits" fix "$out"
says_json "... the steps, and how it is now" "[c['outcome'] for c in r['checks']] == ['in order', 'done', 'done'] and [s['action'] for s in r['checks'][1]['steps']] == ['write', 'set'] and r['checks'][1]['steps'][1]['was'] == '1 0' and r['checks'][1]['now']['status'] == 'ok'"
run fix --json net.ping
fits "fix --json with nothing to do fits" fix "$out"
says_json "... nothing" "r['checks'][0]['outcome'] == 'nothing' and not r['changed']"
echo "# mine" >>/etc/sysctl.d/60-rootless-ping.conf
run undo --json
fits "undo --json fits" fix "$out"
says_json "... done, and left" "{c['id']: c['outcome'] for c in r['checks']} == {'net.ports': 'done', 'net.ping': 'left'}"
sed -i '$d' /etc/sysctl.d/60-rootless-ping.conf
run undo --json
says_json "... and then done" "r['changed'] and r['checks'][0]['outcome'] == 'done'"
run undo --json
fits "undo --json with nothing to undo fits" fix "$out"
as_it_was "--json"

# Two at once wait for one another.
fix net.ping >/dev/null &
first=$!
fix net.ports >/dev/null
wait $first
is "two at once: both are set" "$(values | tr -s '\t' ' ')" "0 2147483647 80"
run undo
as_it_was "two at once"

# What was better already, stays.
echo 0 >$ports
run fix net.ports
like "a value that is better than wanted" "$rc:$out:$(cat $ports)" "^0:.*nothing to do.*:0$"
echo "$was_ports" >$ports

# Files that are somebody's.
fix net.ping net.ports >/dev/null
echo "# mine" >>/etc/sysctl.d/60-rootless-ping.conf
edited=$(cat /etc/sysctl.d/60-rootless-ping.conf)
run undo
like "undo leaves an edited file, and says so" "$rc:$out" "^1:.*60-rootless-ping.conf was edited since"
is "... whole" "$(cat /etc/sysctl.d/60-rootless-ping.conf)" "$edited"
is "... and undoes the rest" "$(values)" "$was"
run fix net.ping
like "fix leaves it too, and says so" "$rc:$out" "^1:.*left alone, for it was edited"
is "... whole" "$(cat /etc/sysctl.d/60-rootless-ping.conf):$(cat $ping)" "$edited:$was_ping"
echo "net.ipv4.ping_group_range = 0 2147483647" >/etc/sysctl.d/60-rootless-ping.conf
run undo
is "with fix's own text again it is undone" "$rc" 0
as_it_was "edited and back"
fix net.ping >/dev/null
echo "5 5" >$ping
run undo
like "a value that changed since is left" "$rc:$out:$(tr '\t' ' ' <$ping)" "^0:.*is 5 5 by now.*:5 5$"
echo "$was_ping" >$ping
as_it_was "a changed value"

printf 'odd \377\0 bytes' >/etc/sysctl.d/60-rootless-ping.conf
chown 7:8 /etc/sysctl.d/60-rootless-ping.conf
chmod 640 /etc/sysctl.d/60-rootless-ping.conf
odd=$(tree /etc)
run fix net.ping
like "a file that is there is replaced" "$rc:$out" "^0:.*replace /etc/sysctl.d/60-rootless-ping.conf"
is "... keeping its mode and owner" "$(stat -c '%a %u:%g' /etc/sysctl.d/60-rootless-ping.conf)" "640 7:8"
run undo
is "... and comes back byte for byte" "$(tree /etc)" "$odd"
chmod 4755 /etc/sysctl.d/60-rootless-ping.conf
run fix net.ping
like "one with a set-id bit is left alone" "$rc:$out" "^1:.*no ordinary drop-in"
ln -sf /dev/null /etc/sysctl.d/60-rootless-ping.conf
run fix net.ping
like "a link in its place is left" "$rc:$out:$(readlink /etc/sysctl.d/60-rootless-ping.conf):$(cat $ping)" "^1:.*left alone.*:/dev/null:$was_ping$"
rm /etc/sysctl.d/60-rootless-ping.conf
as_it_was "odd files"

# A failure takes back what was done for that check.
mount --bind $ping $ping
mount -o remount,bind,ro $ping
run fix net.ping
like "a value that cannot be set" "$rc:$out:$err" "^1:.*that failed; back:.*remove /etc/sysctl.d/60-rootless-ping.conf.*cannot open /proc/sys"
umount $ping
as_it_was "a failure"
is "a failure: no record is left" "$(ls /var/lib/rootless-toolkit/fix)" ""

# A sysctl of Debian's kernels.
mount -t tmpfs tmpfs /proc/sys/kernel
printf '0\n' >/proc/sys/kernel/unprivileged_userns_clone
run fix userns
is "kernel.unprivileged_userns_clone: set" "$rc:$(cat /proc/sys/kernel/unprivileged_userns_clone):$(cat /etc/sysctl.d/60-rootless-userns.conf)" \
    "0:1:kernel.unprivileged_userns_clone = 1"
run undo
is "... and back" "$rc:$(cat /proc/sys/kernel/unprivileged_userns_clone)" "0:0"
umount /proc/sys/kernel
as_it_was "userns"

# Ubuntu's switch, by a stand-in for the sysctl and for the parser.
mount -t tmpfs tmpfs /proc/sys/kernel
printf '1\n' >/proc/sys/kernel/apparmor_restrict_unprivileged_userns
cp -a /etc "$work/etc-before"
mkdir -p /etc/apparmor.d/abi
: >/etc/apparmor.d/abi/4.0
profile=/etc/apparmor.d/rootless-toolkit
: >"$log"
run fix userns
is "AppArmor: a profile, loaded" "$rc:$(cat "$log")" "0:apparmor_parser -r $profile"
like "AppArmor: for our programs where they are" "$(cat $profile)" "profile rootless-toolkit \"$bin/\{rootlesskit,rootless-setup\}\" flags=\(unconfined\).*userns,"
run undo
is "AppArmor: unloaded, then removed" "$rc:$(tail -n 1 "$log"):$(ls /etc/apparmor.d/rootless* 2>/dev/null)" "0:apparmor_parser -R $profile:"
tool apparmor_parser "exit 1"
run fix userns
like "AppArmor: a profile that does not load goes again" "$rc:$out:$err" "^1:.*remove $profile.*apparmor_parser -r: exit status 1"
rm /etc/apparmor.d/abi/4.0
if [ ! -d "$work/etc-before/apparmor.d" ]; then rm -r /etc/apparmor.d; elif [ ! -d "$work/etc-before/apparmor.d/abi" ]; then rmdir /etc/apparmor.d/abi; fi
[ ! -e "$work/etc-before/apparmor.d/abi/4.0" ] || cp -a "$work/etc-before/apparmor.d/abi/4.0" /etc/apparmor.d/abi/
umount /proc/sys/kernel
as_it_was "AppArmor"

# Modules, by a modprobe that makes what the kernel would show.
mount -t tmpfs tmpfs /sys/module
# shellcheck disable=SC2016 # the tool's own
tool modprobe 'case $1 in -r) rmdir /sys/module/$2 ;; nft_masq) exit 1 ;; *) mkdir /sys/module/$1 ;; esac'
: >"$log"
run fix net.veth
is "a module: loaded, and at boot" "$rc:$(cat "$log"):$(cat /etc/modules-load.d/rootless-veth.conf)" "0:modprobe veth:veth"
run fix net.veth
is "... once" "$rc:$(cat "$log")" "0:modprobe veth"
run undo
is "... and back" "$rc:$(ls /sys/module)" "0:"
: >"$log"
run fix net.nat
like "a module that does not load takes the others back" "$rc:$out:$err" "^1:.*unload nft_chain_nat.*unload nf_tables.*remove /etc/modules-load.d/rootless-nat.conf.*modprobe nft_masq: exit status 1"
is "... all of them" "$(ls /sys/module)" ""
as_it_was "modules"
# shellcheck disable=SC2016 # the tool's own
tool modprobe 'case $1 in -r) exit 1 ;; *) mkdir /sys/module/$1 ;; esac'
fix net.veth >/dev/null
run undo
like "a module in use stays, and that is told" "$rc:$out" "^0:.*veth stays until the next boot"
as_it_was "a module in use"
mkdir -p /sys/module/tun

# The tun device, whose node is the test's own.
if [ -c /dev/net/tun ]; then
    if mkdir /run/udev 2>/dev/null; then at_end rmdir /run/udev; fi
    mount -t tmpfs -o mode=755 tmpfs /run/udev
    : >/run/udev/control
    chmod 600 /dev/net/tun
    : >"$log"
    run fix net.tun --user rltest-alice
    is "the tun device: mode now, rule for boot, udev told" \
        "$rc:$(stat -c %a /dev/net/tun):$(cat /etc/udev/rules.d/60-rootless-tun.rules):$(cat "$log")" \
        '0:666:KERNEL=="tun", MODE="0666", OPTIONS+="static_node=net/tun":udevadm control --reload'
    check net.tun
    expect "... and check agrees" 0 net.tun ok ""
    run undo
    is "... and back" "$rc:$(stat -c %a /dev/net/tun)" "0:600"
    rm /run/udev/control
    run fix net.tun
    is "without udev: tmpfiles.d" "$rc:$(cat /etc/tmpfiles.d/60-rootless-tun.conf)" "0:z /dev/net/tun 0666 root root -"
    "$setup" undo >/dev/null
    # What check prints for root, pasted, is what fix would do.
    : >/run/udev/control
    run as_alice "$setup" check net.tun
    sed -n '/^sudo sh/,/^END_OF_REMEDIES/p' <<<"$out" | sed '1d;$d' >"$work/script"
    sh -eu "$work/script" >/dev/null
    run fix net.tun
    like "after check's own remedy nothing is left to fix" "$rc:$out" "^0:.*nothing to do"
    rm /etc/udev/rules.d/60-rootless-tun.rules
    rmdir -p /etc/udev/rules.d 2>/dev/null || true
    chmod 666 /dev/net/tun
    umount /run/udev
    as_it_was "the tun device"
else
    skip "the tun device" "no /dev/net/tun here"
fi
umount /sys/module

# systemd, of which only its traces are here.
for dir in /run/systemd /var/lib/systemd; do
    if mkdir "$dir" 2>/dev/null; then at_end rmdir "$dir"; fi
done
mount -t tmpfs -o mode=755 tmpfs /run/systemd
mount -t tmpfs -o mode=755 tmpfs /var/lib/systemd
run fix cgroup
like "without systemd nothing is delegated" "$rc:$out" "^1:.*no systemd here"
mkdir /run/systemd/system
: >"$log"
run fix cgroup
is "delegation: a drop-in, and systemd is told" \
    "$rc:$(cat "$log"):$(cat /etc/systemd/system/user@.service.d/60-rootless.conf)" \
    "0:systemctl daemon-reload:[Service]"$'\n'"Delegate=cpu cpuset io memory pids"
run undo
is "... and back, and told again" "$rc:$(cat "$log")" "0:systemctl daemon-reload"$'\n'"systemctl daemon-reload"
: >"$log"
run fix linger
like "linger: whose?" "$rc:$out" "^1:.*--user USER"
run env SUDO_USER=rltest-alice "$setup" fix linger
is "linger of who called sudo" "$rc:$(cat "$log"):$(ls /var/lib/systemd/linger)" "0:loginctl enable-linger rltest-alice:rltest-alice"
run undo
is "... and back" "$rc:$(tail -n 1 "$log"):$(ls /var/lib/systemd)" "0:loginctl disable-linger rltest-alice:"
tool loginctl "exit 1"
run fix linger --user rltest-alice
like "a logind that refuses" "$rc:$out:$err:$(ls /var/lib/systemd)" "^1:.*back:.*loginctl enable-linger: exit status 1"
as_it_was "systemd"
umount /run/systemd /var/lib/systemd

# Without a name: what fails for the user, and no hints.
chmod 600 /dev/net/tun
ranges "rltest-alice:3000000:65536"
before=$(tree /etc)
run env SUDO_USER=rltest-alice "$setup" fix
like "what fails is fixed" "$out" "net.tun:.*net.tun for rltest-alice: ok"
unlike "... and hints are left alone" "$out" "net.ping:"
"$setup" undo >/dev/null
as_it_was "what fails"
run fix --user rltest-alice net.veth
like "what is in order for the user is left alone" "$rc:$out" "^0:net.veth:.*in order for rltest-alice: nothing to do"
chmod 666 /dev/net/tun

# An image: its links stay inside, and the machine is not touched.
image=$work/image
mkdir -p "$image/etc" "$image/usr/lib/systemd/system" "$image/usr/lib/udev" "$image/data"
ln -s /data "$image/etc/sysctl.d"
ln -s ../../../../../../../data "$image/etc/modules-load.d"
untouched=$(tree "$image")
: >"$log"
run fix --root "$image" --user carol userns net.ping net.tun cgroup linger
is "an image: status" "$rc:$err" "0:"
is "an image: absolute links lead inside" "$(cat "$image/data/60-rootless-ping.conf")" "net.ipv4.ping_group_range = 0 2147483647"
is "an image: so do those with dots" "$(cat "$image/data/rootless-tun.conf")" "tun"
is "an image: a sysctl that not every kernel has" "$(cat "$image/data/60-rootless-userns.conf")" "-kernel.unprivileged_userns_clone = 1"
is "an image: linger" "$(ls "$image/var/lib/systemd/linger")" "carol"
is "an image: no tool of this machine is called" "$(cat "$log")" ""
as_it_was "an image"
run fix --root "$image" --user carol userns net.ping net.tun cgroup linger
unlike "an image, a second time: nothing to do" "$out" "write"
run undo --root "$image"
rm -r "${image:?}/var"
is "an image: undone" "$rc:$(diff <(echo "$untouched") <(tree "$image"))" "0:"
install -d -o $alice "$work/home-alice/image" "$work/home-alice/image/etc"
run as_alice "$setup" fix --root "$work/home-alice/image" net.ping
is "an image of the user's own" "$rc:$(stat -c %u "$work/home-alice/image/etc/sysctl.d/60-rootless-ping.conf")" "0:$alice"
mkdir -p "$image/var/lib/rootless-toolkit/fix"
cat >"$image/var/lib/rootless-toolkit/fix/record" <<'END'
{"schema": 1, "changes": [{"kind": "file", "check": "net.ping", "target": "/../../data/evil", "dirs": 0, "reload": "none",
 "before": {"text": "#!/bin/sh", "mode": 2541, "uid": 0, "gid": 0}, "after": {"text": "", "mode": 420, "uid": 0, "gid": 0}}]}
END
run undo --root "$image"
like "a record in an image makes no set-id program" "$rc:$err:$(ls "$image/data")" "^1:.*damaged.*:$"
rm -r "${image:?}/var"
for name in "../x" "-x" "a/b" ".."; do
    run fix --root "$image" --user "$name" linger
    like "no login name: $name" "$rc:$err" "^1:.*is no login name"
done

refused() { # WHAT TEXT COMMAND...: a wrong command line
    local what=$1 text=$2
    shift 2
    run "$@"
    like "$what" "$rc:$out:$err" "^2::rootless-setup: .*$text"
}
refused "an unknown check" 'unknown check "nonsense"' fix nonsense
refused "a check that fix can do nothing about" "nothing about subid" fix subid
refused "an image cannot be tried" "name the checks" fix --root "$image"
refused "no check and no user" "name the checks" fix
refused "no such user" 'no user "rltest-nobody"' fix --user rltest-nobody net.ping
refused "undo of no check of fix's" "no check that fix changes" undo subid
echo '{"schema": 1, "changes": [{"kind": "file"}]}' >/var/lib/rootless-toolkit/fix/record
for command in fix undo; do
    run "$setup" $command net.ping
    like "$command with a damaged record" "$rc:$err" "^1:.*record is damaged"
done
as_it_was "a damaged record"

done_testing
