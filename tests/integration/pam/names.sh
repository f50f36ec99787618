#!/bin/bash
# Users whose names are no plain words, as directory services have them.
# shellcheck disable=SC2016,SC2119 # for shells inside; no option is an option
set -eu
# shellcheck source-path=SCRIPTDIR source=logins.sh
. "$(dirname "$0")/logins.sh"

use_module
start_sshd
look='echo $XDG_RUNTIME_DIR; stat -c "%a %u" $XDG_RUNTIME_DIR'
number=30100
# logs_in NAME COMMAND...: an account of that name, numbered on; COMMAND logs in and runs its argument
logs_in() {
    user=$1 uid=$((number += 1)) runtime=/run/user/$number
    install -d -m 700 -o $uid -g $uid "$work/home-$uid"
    printf '%s:x:%d:%d::%s:/bin/sh\n' "$user" $uid $uid "$work/home-$uid" >>/etc/passwd
    printf '%s:*:19000:0:99999:7:::\n' "$user" >>/etc/shadow
    echo "g$uid:x:$uid:" >>/etc/group
    forget_log
    run "${@:2}" "$look"
    is "\"$user\" has a directory" "$out" "$runtime"$'\n'"700 $uid"
}

# check NAME COMMAND...
check() {
    local name=${1//\\/\\\\}
    logs_in "$@"
    is "and one range of uids" "$(awk -F: -v "n=$name" '$1 == n && $3 == 65536' /etc/subuid | wc -l)" 1
    is "the same of gids" "$(awk -F: -v "n=$name" '$1 == n' /etc/subgid)" "$(awk -F: -v "n=$name" '$1 == n' /etc/subuid)"
}
for name in alice.smith user_1 UPPER alice@example.org 'EXAMPLE\alice' 'alice$' 'with blank' 'a%s%n' Jürgen \
    '*' x=y "$(printf 'x%.0s' {1..32})"; do
    check "$name" ssh_in
done
# Those that the ssh client refuses.
by_su() { su -l "$user" -c "$1"; }
for name in "o'hara" '$(reboot)' '`reboot`' 'a;b'; do
    check "$name" by_su
done

# A name of digits is a uid in these files, mostly somebody else's.
logs_in 30500 ssh_in
is "no range is given to a name of digits" "$(grep -c '^30500:' /etc/subuid)" 0
like "it is said" "$(logged)" "a name of digits alone is read as a uid"
is "no line is other than owner, start and count" "$(grep -vcE '^[^:]+:[0-9]+:65536$' /etc/subuid)" 0
clean_soon "nothing is left"
done_testing
