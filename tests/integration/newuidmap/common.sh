# shellcheck shell=bash
# Sourced by the tests of newuidmap and newgidmap: lib.sh, two users with known numbers, copies of
# the programs with their file capabilities, and processes in new user namespaces to try them on.
# Our newuidmap and newgidmap are the first two arguments.

# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

# Entries rather than useradd: the numbers are part of what is tested.
alice=47001 bob=47002
cat >>/etc/passwd <<END
rltest-alice:x:$alice:$alice::/nonexistent:/bin/sh
rltest-bob:x:$bob:$bob::/nonexistent:/bin/sh
END
cat >>/etc/group <<END
rltest-alice:x:$alice:
rltest-bob:x:$bob:
rltest-shared:x:47010:rltest-alice
END

mkdir "$bin"
# shellcheck disable=SC2034 # the sourcing tests use them
newuidmap=$bin/newuidmap newgidmap=$bin/newgidmap
install -m 755 "$1" "$newuidmap"
install -m 755 "$2" "$newgidmap"
setcap cap_setuid+ep "$newuidmap" 2>/dev/null || skip_all "no file capabilities on $work"
setcap cap_setgid+ep "$newgidmap"

as() { # UID COMMAND...: as that user with the group of the same number and no other
    local user=$1
    shift
    setpriv --reuid "$user" --regid "$user" --clear-groups "$@"
}

start() { # COMMAND...: $target is its process, once it has become a sleep in a new user namespace
    "$@" >/dev/null 2>&1 &
    target=$!
    disown
    # Finer steps than wait_for's: hundreds of these are started.
    until is_target 2>/dev/null; do
        kill -0 "$target"
        sleep 0.005
    done
}

is_target() {
    [ "$(cat "/proc/$target/comm")" = sleep ] &&
        [ "$(readlink "/proc/$target/ns/user")" != "$(readlink /proc/self/ns/user)" ]
}

start_target() { # UID: the same for a plain process of that user
    # No function here: $! must be the very process that becomes sleep.
    start setpriv --reuid "$1" --regid "$1" --clear-groups unshare --user sleep 600
}

end_target() {
    kill -KILL "$target"
    wait_for 20 is_gone
}

is_gone() {
    [ ! -e "/proc/$target/uid_map" ] || grep -q '^State:.Z' "/proc/$target/status"
}

map_of() { # FILE: the map of $target on one line, "0 1000 1; 1 100000 65536"
    awk '{ printf "%s%s %s %s", sep, $1, $2, $3; sep = "; " }' "/proc/$target/$1"
}

report() { # OK? DESCRIPTION DETAILS
    if [ "$1" -eq 0 ]; then pass "$2"; else fail "$2" "$3"; fi
}

# check DESCRIPTION FILE RC MAP TEXT COMMAND...: runs it, then looks at status, map and message;
# an empty TEXT means that nothing may be said
check() {
    local what=$1 file=$2 want_rc=$3 want_map=$4 text=$5 got bad=0
    shift 5
    run "$@"
    got=$(map_of "$file")
    [ "$rc" -eq "$want_rc" ] && [ "$got" = "$want_map" ] && [ -z "$out" ] || bad=1
    [[ $err == *"$text"* ]] || bad=1
    [ -n "$text" ] || [ -z "$err" ] || bad=1
    report "$bad" "$what" "status $rc (want $want_rc), map \"$got\" (want \"$want_map\")
stdout: $out
stderr: $err (want: $text)"
}
