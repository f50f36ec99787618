#!/bin/bash
# su and sudo: as somebody else, to and fro, within one another, beside a login of the same user.
# shellcheck disable=SC2016,SC2119 # for shells inside; no option is an option
set -eu
# shellcheck source-path=SCRIPTDIR source=logins.sh
. "$(dirname "$0")/logins.sh"

[ -x /usr/bin/sudo ] || skip_all "no sudo"
use_module
start_sshd
make_login bob
echo "$user:correct horse" | chpasswd
bob=$uid
make_login alice
alice=$uid
cat >/etc/sudoers <<'END_OF_RULES'
Defaults env_reset
root ALL=(ALL:ALL) ALL
rltest-alice,rltest-bob ALL=(ALL:ALL) NOPASSWD: ALL
END_OF_RULES
chmod 440 /etc/sudoers
dir='echo $XDG_RUNTIME_DIR; stat -c "%a %U" $XDG_RUNTIME_DIR'
bobs="/run/user/$bob"$'\n'"700 rltest-bob"
alices="/run/user/$alice"$'\n'"700 rltest-alice"

# By root.
for command in "su - rltest-bob -c" "su rltest-bob -c" "sudo -iu rltest-bob sh -c" "sudo -u rltest-bob sh -c"; do
    # shellcheck disable=SC2086
    run $command "$dir"
    is "${command% *}: his own directory" "$out" "$bobs"
    clean_soon "it is gone with it"
done
given "sub-ids came with the first" rltest-bob
is "su without -, which keeps variables: still his own" "$(XDG_RUNTIME_DIR=/run/user/0 su rltest-bob -c "$dir")" "$bobs"

# By a user, from his own session.
open_session alice ssh_in bash
inside() { in_session alice "$1"; }
is "in a login of hers: hers" "$(inside "$dir")" "$alices"
like "su with his password: his" "$(inside "echo 'correct horse' | su - rltest-bob -c '$dir'")" "$bobs"
is "su without -: his" "$(inside "echo 'correct horse' | su rltest-bob -c '$dir' 2>/dev/null")" "$bobs"
is "sudo: his" "$(inside "sudo -u rltest-bob sh -c '$dir'")" "$bobs"
is "sudo to root makes none" "$(inside 'sudo sh -c "test -e /run/user/0 || echo none"')" none
is "a wrong password gets nothing" "$(inside "echo wrong | su - rltest-bob -c '$dir' 2>/dev/null; ls /run/user")" "$alice"
is "to herself and back: hers" "$(inside "sudo -u rltest-alice sh -c '$dir'")" "$alices"
is "it is still there" "$(inside "$dir")" "$alices"
is "to him, to her, to him" "$(inside "sudo -u rltest-bob sudo -u rltest-alice sudo -u rltest-bob sh -c '$dir'; ls /run/user")" \
    "$bobs"$'\n'"$alice"
open_session bob su - rltest-bob
is "he is here too: sudo to him" "$(inside "sudo -u rltest-bob sh -c '$dir'")" "$bobs"
is "leaves him what he has" "$(in_session bob "$dir")" "$bobs"
close_session alice
ok "she goes" wait_for 30 gone "/run/user/$alice"
is "that is nothing to him" "$(in_session bob "$dir")" "$bobs"
close_session bob
clean_soon "he goes: nothing is left"

# Longer than the login it came from.
open_session alice ssh_in bash
inside "sudo -u rltest-bob setsid sh -c 'touch $work/answers/on; while test -e $work/answers/on; do sleep 0.05; done' >/dev/null 2>&1 & disown" >/dev/null
wait_for 10 test -e "$work/answers/on"
close_session alice
ok "a login ends before the sudo in it: hers goes" wait_for 30 gone "/run/user/$alice"
ok "his stays" test -d "/run/user/$bob"
rm "$work/answers/on"
clean_soon "until that ends"

# Killed half-way.
open_session alice ssh_in bash
inside "sudo -u rltest-bob sh -c 'touch $work/answers/on; while test -e $work/answers/on; do sleep 0.05; done' >/dev/null 2>&1 & disown" >/dev/null
wait_for 10 test -e "$work/answers/on"
# shellcheck disable=SC2046
kill -KILL $(pgrep -f '^sudo -u rltest-bob')
rm "$work/answers/on"
ok "sudo is killed: his directory stays" test -d "/run/user/$bob"
is "the next one uses it" "$(inside "sudo -u rltest-bob sh -c '$dir'")" "$bobs"
ok "and takes it away" wait_for 30 gone "/run/user/$bob"
close_session alice
clean_soon "nothing is left"
done_testing
