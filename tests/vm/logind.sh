#!/bin/bash
# The session module where systemd and its logind run: they make the runtime directory, and the cgroups; the
# module gives the sub-ids, and keeps its hands off the rest.
# shellcheck disable=SC2016 # for shells inside
set -eu
# No namespaces of the test's own: logind has to see the users. The guest is thrown away.
[ -e /toolkit/env ] || { echo "1..0 # SKIP only in a guest"; exit 0; }
RLTEST_INSIDE=$(mktemp -d /var/tmp/rltest.XXXXXX)
export RLTEST_INSIDE
chmod 755 "$RLTEST_INSIDE"
mkdir -p /var/lib/rootless-toolkit
# shellcheck source-path=SCRIPTDIR source=../integration/lib.sh
. "$(dirname "$0")/../integration/lib.sh"

module=$BUILD_ROOT/pam/pam_rootless.so
cp /etc/pam.d/common-session "$work/stack"
look='echo $XDG_RUNTIME_DIR; stat -c "%a %U" $XDG_RUNTIME_DIR; findmnt -no FSTYPE $XDG_RUNTIME_DIR; sed -n s/^0:://p /proc/self/cgroup'
seen() { printf '%s\n' "/run/user/$uid" "700 $user" tmpfs; }

like "systemd runs here" "$(cat /proc/1/comm)" systemd
for place in behind "in front of"; do
    make_user "${place%% *}" none
    like "pam_systemd is in the stack" "$(cat "$work/stack")" pam_systemd.so
    if [ "$place" = behind ]; then
        { cat "$work/stack"; echo "session optional $module debug"; }
    else
        { echo "session optional $module debug"; cat "$work/stack"; }
    fi >/etc/pam.d/common-session
    run su - "$user" -c "$look"
    is "$place pam_systemd: the directory is logind's" "$(head -n 3 <<<"$out")" "$(seen)"
    like "so is the cgroup" "$(tail -n 1 <<<"$out")" "^/user.slice/user-$uid.slice/session-c?[0-9]+.scope$"
    like "the module gave the sub-ids" "$(grep -h "^$user:" /etc/subuid /etc/subgid | cut -d: -f3 | xargs)" "^65536 65536$"
    ok "after logout the directory is logind's to remove, later" test -d "/run/user/$uid"
    ok "it does" wait_for 180 test ! -e "/run/user/$uid"
    is "nothing is remembered" "$(find /run/rootless-toolkit -type f ! -name '*.lock' 2>/dev/null)" ""
done
# A session that logind is not asked about.
printf 'auth sufficient pam_rootok.so\naccount required pam_permit.so\nsession required %s\n' "$module" >/etc/pam.d/su
is "without pam_systemd: no directory is made in logind's place" "$(su "$user" -c "test -e /run/user/$uid || echo none")" none
done_testing
