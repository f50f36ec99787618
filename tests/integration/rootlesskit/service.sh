#!/bin/bash
# Under a service manager: socket activation, and a cgroup of one's own.
set -eu
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
use_programs
make_kit_user service

# Socket activation. The command says what it was passed; a connection to the first socket starts it.
cat >"$work/passed" <<'END'
#!/bin/bash
echo "$LISTEN_FDS $([ "$LISTEN_PID" = $$ ] && echo mine) $(stat -L -c %F /proc/self/fd/* 2>/dev/null | grep -c socket)" >"$HOME/passed"
END
chmod 755 "$work/passed"
passed() { # OPTIONS-OF-SOCKET-ACTIVATE... -- OPTIONS-OF-ROOTLESSKIT...
    local first=$runtime/first.sock
    rm -f "$home/passed" "$runtime"/*.sock
    # In a subshell for its standard input; the sockets are of the file system, so nobody else's.
    start_as_user systemd-socket-activate -l "$first" "$@" "$work/passed" >"$work/activate.log" 2>&1
    wait_for 10 test -S "$first"
    as_user socat -u /dev/null "UNIX-CONNECT:$first"
    wait "$pid" || true
    cat "$home/passed"
}
if command -v systemd-socket-activate >/dev/null; then
    is "one socket reaches the command" "$(passed rootlesskit)" "1 mine 1"
    is "three do" "$(passed -l "$runtime/b.sock" -l "$runtime/c.sock" rootlesskit)" "3 mine 3"
    is "in a pid namespace" "$(passed -l "$runtime/b.sock" rootlesskit --pidns)" "2 mine 2"
    is "beside a network" "$(passed rootlesskit --net=gateway --port-driver=builtin --copy-up=/etc)" "1 mine 1"
else
    skip "socket activation" "systemd-socket-activate is not installed"
fi
# shellcheck disable=SC2016 # for the shell inside
run as_user env LISTEN_PID=1 LISTEN_FDS=1 rootlesskit sh -c 'echo $LISTEN_PID; ls /proc/self/fd | wc -l' 5</etc/passwd
is "variables of another process stay as they are, and nothing is passed" "$(echo "$out" | xargs)" "1 4"

# The cgroup. Delegated to the user, as a service manager does with Delegate=yes.
tree=$(findmnt -rno TARGET -t cgroup2 | head -n 1)
delegate() { mkdir "$group" && chown "$uid" "$group" "$group/cgroup.procs" "$group/cgroup.subtree_control"; }
group=$tree/rltest-$$
# The kernel frees a cgroup a moment after its last process.
remove_group() { rmdir "$group"/* "$group" 2>/dev/null || test ! -e "$group"; }
in_group() { sh -c 'echo 0 >"$0/cgroup.procs" && exec "$@"' "$group" "$@"; }
if [ -n "$tree" ] && delegate; then
    at_end remove_group
    run in_group setpriv --reuid "$uid" --regid "$gid" --clear-groups env -i PATH="$PATH" HOME="$home" \
        TMPDIR="$home/tmp" rootlesskit --pidns --cgroupns --evacuate-cgroup2=evac --net=none sh -c "
            grep 0:: /proc/self/cgroup; ls -d $tree/evac; mkdir $tree/mine && rmdir $tree/mine && echo made"
    is "the processes are evacuated, the cgroup above is the command's" "$(echo "$out" | xargs)" "0::/evac $tree/evac made"
    is "without a word" "$err" ""
    is "outside it is where it should be" "$(ls -d "$group/evac")" "$group/evac"
    ok "nothing stays in the cgroups" wait_for 20 remove_group
else
    skip "--evacuate-cgroup2" "no cgroup v2 tree that can be changed"
fi
run as_user rootlesskit --pidns --cgroupns --evacuate-cgroup2=evac true
is "where it cannot work the command runs all the same" "$rc" 0
like "with one warning" "$err" "^[^"$'\n'"]*warning: --evacuate-cgroup2=evac: [^"$'\n'"]*$"
done_testing
