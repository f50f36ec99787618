#!/bin/bash
# --root: files of a system that does not run, none of which is executed.
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

image=$work/image
mkdir -p "$image"/{etc,usr/bin,usr/lib/systemd,home/carol,var/lib/systemd/linger}
ln -s usr/bin "$image/bin"
echo "carol:x:1000:1000::/home/carol:/bin/sh
root:x:0:0::/root:/bin/sh
dave:x:1001:1001::/home/dave:/bin/sh" >"$image/etc/passwd"
echo "carol:x:1000:" >"$image/etc/group"
printf 'ID=fedora\nPRETTY_NAME="Fedora in a test"\n' >"$image/etc/os-release"
echo carol:100000:65536 | tee "$image/etc/subuid" >"$image/etc/subgid"
install "$bin/newuidmap" "$bin/newgidmap" "$image/usr/bin/"
chmod 4755 "$image/usr/bin/newuidmap"
setcap cap_setgid+ep "$image/usr/bin/newgidmap"
for tool in nsenter sysctl ip; do
    printf '#!/bin/sh\n: >%s/executed\n' "$work" >"$image/usr/bin/$tool"
    chmod 755 "$image/usr/bin/$tool"
done
: >"$image/usr/lib/systemd/systemd"
: >"$image/var/lib/systemd/linger/carol"

look() { # ARGS...: as root, then as alice, who sees the same
    run "$setup" check --root "$image" --user carol --json "$@"
    local theirs=$out
    run as_alice "$setup" check --root "$image" --user carol --json "$@"
    is "root and others see the same: $*" "$out" "$theirs"
}

look
for id in subid newuidmap newgidmap linger tools engine units; do
    expect "everything in order: $id" 0 $id ok ""
done
is "only what files tell" "$("$python" -IS -c 'import json, sys; print(len(json.load(sys.stdin)["checks"]))' <<<"$out")" 7
like "--json tells what was looked at" "$out" "\"root\": \"$image\""
run "$setup" check --root "$image" --user 1000
like "text: whose files" "$out" "Checking user carol \(uid 1000\) on Fedora in a test, files below $image"
like "text: not more than was looked at" "$out" "carol is ready for rootless engines, as far as checked"
unlike "fix is not for it" "$out" "rootless-setup fix"

# Debian's package manager.
mkdir -p "$image"/var/lib/{dpkg/info,apt}
printf '/.\n/usr/bin/newuidmap\n' >"$image/var/lib/dpkg/info/uidmap.list"
printf 'Package: uidmap\nArchitecture: amd64\nAuto-Installed: 1\n\n' >"$image/var/lib/apt/extended_states"
printf 'Package: uidmap\nStatus: install ok installed\n\nPackage: podman\nStatus: deinstall ok config-files\nDepends: uidmap\n' >"$image/var/lib/dpkg/status"
look newuidmap newgidmap
expect "a package that apt removes" 0 newuidmap warning "the next apt autoremove takes /usr/bin/newuidmap away" "apt-mark manual uidmap"
expect "... is told once" 0 newgidmap ok ""
sed -i 's/deinstall ok config-files/install ok installed/' "$image/var/lib/dpkg/status"
look newuidmap
expect "... not while something depends on it" 0 newuidmap ok ""
sed -i /^Depends/d "$image/var/lib/dpkg/status"
echo /usr/local/bin/newuidmap >"$image/var/lib/dpkg/info/uidmap.list"
look newuidmap
expect "... and not one that is not of the package" 0 newuidmap ok ""
rm -r "$image/var/lib/dpkg" "$image/var/lib/apt"

chmod 755 "$image/usr/bin/newuidmap"
look newuidmap
expect "a helper without privilege" 1 newuidmap failed "/usr/bin/newuidmap has no privilege" "setcap cap_setuid=ep /usr/bin/newuidmap"
rm "$image/usr/bin/newuidmap" "$image/usr/bin/ip"
look newuidmap tools
expect "no helper: the image's package" 1 newuidmap failed "no newuidmap in" "dnf install -y shadow-utils"
expect "a tool is missing" 1 tools warning "ip" ""
echo dave:165535:10 >>"$image/etc/subuid"
look subid
expect "an overlap in the image" 1 subid failed "overlaps dave's 165535:10" "subid add --root $image carol"
: >"$image/etc/subgid"
look subid
expect "no gids in the image" 1 subid failed "no subordinate gids"
echo "subid: rltest" >"$image/etc/nsswitch.conf"
look subid
expect "a plug-in of the image is not loaded" 0 subid hint 'from "rltest"' ""
rm "$image/etc/nsswitch.conf" "$image/var/lib/systemd/linger/carol"
look linger
expect "no linger in the image" 0 linger hint "is not there"

# Links of the image lead to files of the image.
ranges "carol:200000:65536"
ln -sf /etc/subuid.real "$image/etc/linked"
mkdir -p "$image/home/carol/.config/systemd/user" "$work/outside"
echo "ExecStart=/nowhere/at/all" >"$work/outside/docker.service"
ln -s "$work/outside/docker.service" "$image/home/carol/.config/systemd/user/docker.service"
look units
expect "a link out of the image leads nowhere" 0 units ok "no unit of an engine"
rm "$image/home/carol/.config/systemd/user/docker.service"
echo "ExecStart=$(type -P true)/not" >"$image/home/carol/.config/systemd/user/docker.service"
look --engine docker units engine
expect "a unit of the image" 1 units warning "203/EXEC"
expect "an engine that is not in the image" 1 engine failed "docker is not installed"
is "nothing of it was run" "$(find "$work/executed" 2>/dev/null || true)" ""

refused() { # WHAT TEXT ARGS...
    run "$setup" check "${@:3}"
    like "$1" "$rc:$out:$err" "^2::.*$2"
}
refused "a check that needs a running system" "the check overlay tries a running system" --root "$image" --user carol overlay
refused "nobody is named" "--user USER" --root "$image"
refused "a user that the image does not have" "no user \"rltest-alice\" in $image/etc/passwd" --root "$image" --user rltest-alice
refused "root is no subject" "is root" --root "$image" --user root
refused "no such directory" "cannot open" --root "$work/none" --user carol
run as_alice "$setup" check --root / --json subid
like "--root / is this system" "$out" '"root": null'

done_testing
