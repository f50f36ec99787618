#!/bin/bash
# Debian's pam-auth-update puts the module where it belongs, and takes it out again.
# shellcheck disable=SC2016 # the session's shell expands it
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

command -v pam-auth-update >/dev/null || skip_all "no pam-auth-update: another distribution"
[ -f "$BUILD_ROOT/packaging/rootless" ] || skip_all "no profile was made"
cp -a /usr/share/pam-configs "$work/profiles"
mount --bind "$work/profiles" /usr/share/pam-configs
cp -a /var/lib/pam "$work/pam-state"
mount --bind "$work/pam-state" /var/lib/pam
cp -a /var/cache/debconf "$work/debconf"
mount --bind "$work/debconf" /var/cache/debconf
# The module of the build, not one that is installed.
sed "s|^\(\s*optional\s*\).*|\1$module|" "$BUILD_ROOT/packaging/rootless" >/usr/share/pam-configs/rootless
export DEBIAN_FRONTEND=noninteractive
before=$(cat /etc/pam.d/common-*)

run pam-auth-update --package
is "without being chosen it changes nothing" "$rc $(cat /etc/pam.d/common-*)" "0 $before"
run pam-auth-update --enable rootless
is "pam-auth-update --enable rootless" "$rc" 0
for file in common-session common-session-noninteractive; do
    like "it stands in $file" "$(cat /etc/pam.d/$file)" "session	optional	$module"
    is "behind all others in $file" "$(grep -v '^#' /etc/pam.d/$file | grep . | tail -n 1)" "session	optional	$module "
done
for file in common-auth common-account common-password; do
    is "$file is left alone" "$(grep -c pam_rootless /etc/pam.d/$file || true)" 0
done
make_user alice none
run su -c 'echo $XDG_RUNTIME_DIR' "$user"
is "a session through it" "$out" "/run/user/$uid"
run pam-auth-update --disable rootless
is "pam-auth-update --disable rootless" "$rc $(cat /etc/pam.d/common-*)" "0 $before"
done_testing
