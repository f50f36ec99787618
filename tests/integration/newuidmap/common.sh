# shellcheck shell=bash
# Sourced by the tests of newuidmap and newgidmap, which get the paths of the three built programs
# as arguments and print TAP. Everything happens in a mount namespace with an /etc of its own, so
# the users made here never exist outside.

if [ -z "${RLTEST_INSIDE:-}" ]; then
    if [ "$(id -u)" -ne 0 ]; then
        echo "1..0 # SKIP needs root"
        exit 0
    fi
    export RLTEST_INSIDE=1
    exec unshare -m --propagation private bash "$0" "$@"
fi

# root is no good as first user of a test: these are.
alice=47001 bob=47002
work=$(mktemp -d /var/tmp/rltest-idmap.XXXXXX)
targets=()
cleanup() {
    for pid in "${targets[@]}"; do
        kill -KILL "$pid" 2>/dev/null || true
    done
    umount -l /etc
    rm -rf "$work"
}
cp -a /etc "$work/etc"
mount --bind "$work/etc" /etc
trap cleanup EXIT

cat >>/etc/passwd <<END
rltest-alice:x:$alice:$alice::/nonexistent:/bin/sh
rltest-bob:x:$bob:$bob::/nonexistent:/bin/sh
END
cat >>/etc/group <<END
rltest-alice:x:$alice:
rltest-bob:x:$bob:
rltest-shared:x:47010:rltest-alice
END

chmod 755 "$work"
mkdir "$work/bin"
# shellcheck disable=SC2034 # the sourcing tests use them
newuidmap=$work/bin/newuidmap newgidmap=$work/bin/newgidmap
install -m 755 "$1" "$newuidmap"
install -m 755 "$2" "$newgidmap"
n=0
skip_all() {
    echo "1..0 # SKIP $1"
    exit 0
}
if ! setcap cap_setuid+ep "$newuidmap" 2>/dev/null || ! setcap cap_setgid+ep "$newgidmap"; then
    skip_all "no file capabilities on $work"
fi

as() { # UID COMMAND...: as that user with the group of the same number and no other
    local user=$1
    shift
    setpriv --reuid "$user" --regid "$user" --clear-groups "$@"
}

wait_target() { # waits until $target is the sleep in a user namespace of its own
    local own
    own=$(readlink /proc/self/ns/user)
    until [ "$(cat "/proc/$target/comm" 2>/dev/null)" = sleep ] &&
        [ "$(readlink "/proc/$target/ns/user" 2>/dev/null || echo "$own")" != "$own" ]; do
        kill -0 "$target" || return 1
    done
}

start_target() { # UID: $target is a process of that user in a new user namespace
    # No function call here: $! must be the very process that becomes sleep.
    setpriv --reuid "$1" --regid "$1" --clear-groups unshare --user sleep 600 >/dev/null 2>&1 &
    target=$!
    disown
    targets+=("$target")
    wait_target
}

map_of() { # FILE: the map of $target on one line, "0 1000 1; 1 100000 65536"
    awk '{ printf "%s%s %s %s", sep, $1, $2, $3; sep = "; " }' "/proc/$target/$1"
}

report() { # OK? DESCRIPTION [DETAILS]
    n=$((n + 1))
    if [ "$1" -eq 0 ]; then
        echo "ok $n - $2"
    else
        echo "not ok $n - $2"
        printf '%s\n' "${3:-}" | sed 's/^/# /'
    fi
}

finish() {
    echo "1..$n"
}

run() { # COMMAND...: $rc and $said (its stderr); nothing may come out of stdout
    rc=0
    said=$("$@" 2>&1 >"$work/stdout") || rc=$?
    [ ! -s "$work/stdout" ] || said="$said (and on stdout: $(cat "$work/stdout"))"
}

# check DESCRIPTION FILE RC MAP TEXT COMMAND...: runs it, then looks at status, map and message
check() {
    local what=$1 file=$2 want_rc=$3 want_map=$4 text=$5 got ok=0
    shift 5
    run "$@"
    got=$(map_of "$file")
    [ "$rc" -eq "$want_rc" ] && [ "$got" = "$want_map" ] || ok=1
    case $said in
    *"$text"*) ;;
    *) ok=1 ;;
    esac
    [ -n "$text" ] || [ -z "$said" ] || ok=1
    report "$ok" "$what" "status $rc (want $want_rc), map \"$got\" (want \"$want_map\"), said: $said"
}
