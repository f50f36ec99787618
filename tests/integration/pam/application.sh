#!/bin/bash
# The application that loads the module finds itself as it was.
# shellcheck disable=SC2119 # no option is a service, too
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

# NAME [WORD...]: with a user who has nothing yet, so that all there is to do is done
try() {
    local name=$1
    shift
    users=$((${users:-0} + 1))
    make_user "u$users" none
    run timeout 60 "$host_program" rltest "$user" "$@" snapshot open close compare reap
    is "$name" "$rc $out$err" "0 "
    ok "$name: all was done" grep -q "^$user:" /etc/subuid
    clean "$name: and undone"
}

# What libc keeps open for the log is not ours.
service quiet
try "ids, umask, signals, limits, files, place in getpwent"
try "no SIGCHLD comes" count
try "it may ignore SIGCHLD" ignore
try "its own children are all that wait(-1) finds" child
try "one with threads" thread
try "one with threads that ignores SIGCHLD" ignore thread
try "one with threads that has children" thread child

# ---- what the caller of su could have set ----

make_user limited none
run bash -c "(ulimit -f 0; umask 077; exec '$host_program' rltest '$user' open sh='stat -c %a /run /run/user /run/rootless-toolkit' close) | cat"
is "a file size limit of 0 and a umask" "$rc $out" "0 755
755
755"
if setpriv --dump | grep -q 'Capability bounding set:.*sys_resource'; then
    like "cut nothing short" "$(grep "^$user:" /etc/subuid)" "^$user:[0-9]+:65536$"
else
    skip "cut nothing short" "root has no CAP_SYS_RESOURCE here"
fi
is "nor any other user's line" "$(grep -cv '^[^:]*:[0-9]*:[0-9]*$' /etc/subuid || true)" 0

make_user group none
run setpriv --regid 1 --groups 1 "$host_program" rltest "$user" open \
    sh="stat -c '%U %G' /run/rootless-toolkit/pam/$uid" close
is "what is made is root's, whatever the group" "$out" "root root"
is "and so are the files of /etc" "$(stat -c '%U %G' /etc/subuid /etc/subgid)" "root root
root root"

make_user closed none
run bash -c "exec '$host_program' rltest '$user' open close <&- 2>&-"
is "without standard input and error" "$rc $out" "0 "
like "works as well" "$(grep "^$user:" /etc/subuid)" ":65536$"

make_user plain none
run as_user "$host_program" rltest "$user" open env close
is "without root's rights nothing is done, and nothing refused" "$rc $out" "0 "

# ---- environment ----

make_user env none
mkdir "$work/evil"
run env XDG_RUNTIME_DIR="$work/evil" HOME="$work/evil" DOCKER_HOST=tcp://evil TMPDIR="$work/evil" \
    "$host_program" rltest "$user" open env close
is "the application's environment decides nothing" "$out" "XDG_RUNTIME_DIR=/run/user/$uid"
is "and nothing is made where it points" "$(ls -A "$work/evil")" ""
done_testing
