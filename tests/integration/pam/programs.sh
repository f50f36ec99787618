#!/bin/bash
# The programs people use: pamtester, su, sudo, one inside the other.
# shellcheck disable=SC2016,SC2119 # the sessions' shells expand it; no option is a service, too
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

for program in pamtester su sudo; do
    command -v "$program" >/dev/null || skip_all "no $program"
done

# As pam-auth-update writes it: one line more in what all of them include.
for file in common-session common-session-noninteractive; do
    [ -e "/etc/pam.d/$file" ] || skip_all "no /etc/pam.d/$file: another distribution"
    echo "session optional $module" >>"/etc/pam.d/$file"
done
echo 'Defaults !fqdn' >/etc/sudoers.d/rltest
service
make_user alice none
alice=$uid
make_user bob none
bob=$uid
echo "rltest-alice ALL=(ALL) NOPASSWD: ALL" >>/etc/sudoers.d/rltest
chmod 440 /etc/sudoers.d/rltest

look='echo $XDG_RUNTIME_DIR $(stat -c "%a %U" $XDG_RUNTIME_DIR)'

run pamtester rltest rltest-alice open_session close_session
is "pamtester opens and closes" "$rc" 0
uid=$alice
clean "and nothing is left"

run su -c "$look" rltest-alice
is "su" "$out" "/run/user/$alice 700 rltest-alice"
run su - rltest-bob -c "$look"
is "su -" "$out" "/run/user/$bob 700 rltest-bob"
run env XDG_RUNTIME_DIR=/run/user/0 su -c "$look" rltest-alice
is "su from a session with another directory" "$out" "/run/user/$alice 700 rltest-alice"
run sudo -u rltest-alice sh -c "$look"
is "sudo -u" "$out" "/run/user/$alice 700 rltest-alice"
run su -c "sudo -u rltest-bob sh -c '$look'; $look" rltest-alice
is "sudo to another user within su" "$out" "/run/user/$bob 700 rltest-bob
/run/user/$alice 700 rltest-alice"
run su -c "touch /run/user/$alice/mine; sudo -u rltest-alice true; ls /run/user/$alice" rltest-alice
is "sudo to oneself within su leaves the directory" "$out" "mine"
run su -c 'sudo sh -c "echo root \$XDG_RUNTIME_DIR; ls /run/user"' rltest-alice
is "sudo to root gets none" "$out" "root
$alice"
for uid in "$alice" "$bob"; do
    clean "nothing is left of user $uid"
done
is "all have ranges" "$(grep -c '^rltest-\(alice\|bob\):[0-9]*:65536$' /etc/subuid)" 2

# ---- two services at once ----

user=rltest-alice uid=$alice
start_host "$user" open
run su -c true "$user"
run sudo -u "$user" true
ok "sessions of two other services end, the first goes on" test -d "/run/user/$uid"
let_go
clean "and is the last"

# ---- killed ----

(exec su -c "echo up >$work/up; sleep 600" "$user") 7>&- &
su=$!
chmod 777 "$work"
wait_for 10 test -s "$work/up" || true
kill -KILL "$su"
wait "$su" 2>/dev/null || true
run su -c true "$user"
clean "a su that is killed is no session"
done_testing
