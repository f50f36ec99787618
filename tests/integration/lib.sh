# shellcheck shell=bash
# Sourced by integration tests, first thing:
#
#   #!/bin/bash
#   set -eu
#   # shellcheck source=../lib.sh
#   . "$(dirname "$0")/../lib.sh"
#
# The test then runs, as root, in a mount and pid namespace of its own, with a private copy of /etc,
# an empty /var/lib/rootless-toolkit, and private /dev/net/tun and /dev/fuse (mode 0666): users it
# makes never exist outside, and whatever it starts ends with it. The work folder is removed from
# outside, even after a SIGKILL.
#
# With memory_etc=1 set before, that copy of /etc is in memory, which is quicker to make.
#
# With own_network=1 set before, it also has a network of its own, with a loopback, that plays the
# machine's: nobody else takes its ports.
#
# Given by meson (tests/integration/meson.build): BUILD_ROOT, SOURCE_ROOT.
#
# Variables
#   work           a folder of this test alone, 0755, on disk
#   bin            "$work/bin", after use_programs
#   user uid gid home runtime    of the last make_user / use_user
#   rc out err     of the last run
#   pid            of the last start_as_user
#
# Reporting, one TAP line each; the plan is printed by done_testing, the last line of every test
#   ok NAME COMMAND...         passes when COMMAND ends with 0; its output is shown if not
#   fails NAME COMMAND...      passes when COMMAND ends with 1..123 (a crash or timeout is no refusal)
#   is NAME GOT WANT           equal strings
#   isnt NAME GOT UNWANTED     different strings
#   like NAME GOT ERE          GOT matches the extended regular expression (bash's =~)
#   unlike NAME GOT ERE        it does not
#   pass NAME; fail NAME [DETAILS]
#   skip NAME WHY              cannot be tried here; with MUST_WORK=1 a failure
#   skip_all WHY               the whole test cannot run here; ends it
#   note TEXT...               a comment in the output
#   done_testing
#
# Doing
#   run COMMAND...             sets rc, out (stdout) and err (stderr); never ends the test
#   wait_for SECONDS COMMAND...  tries COMMAND, once at least, until it succeeds; status 1 when it does not
#                              in that time. 10 or more for a busy machine; 5 asserts that it is quick
#   use_programs               copies the built programs to $bin, with file capabilities, and puts
#                              $bin first on PATH
#   make_user NAME [none]      makes rltest-NAME with sub-id ranges (useradd's; "none": without),
#                              a home and an XDG_RUNTIME_DIR, and selects it
#   use_user NAME              selects one made before
#   as_user COMMAND...         runs it as the selected user, in a clean environment, in his home;
#                              env_user=(A=b ...) adds to that environment
#   start_as_user COMMAND...   the same in the background; pid is COMMAND's own. Redirect its output:
#                              start_as_user dockerd >"$work/log" 2>&1
#   free_port                  prints a TCP port nobody listens on
#   at_end COMMAND...          runs it when the test ends, last given first

[ -z "${rltest_n:-}" ] || return 0 # sourced by two files that a test sources

if [ -z "${RLTEST_INSIDE:-}" ]; then
    if [ "$(id -u)" -ne 0 ]; then
        echo "1..0 # SKIP needs root"
        exit 0
    fi
    work=$(mktemp -d /var/tmp/rltest.XXXXXX)
    inside=
    # A mount point for what the programs keep: theirs is not the machine's. Removing one takes the
    # mounts of other tests away, so it goes with the last that holds the lock.
    rltest_state=/var/lib/rootless-toolkit
    while mkdir -p "$rltest_state"; do
        { exec 9<"$rltest_state"; } 2>/dev/null || continue
        flock -s 9
        [ ! "$rltest_state" -ef /proc/self/fd/9 ] || break
    done
    rltest_leave() {
        if [ -n "$inside" ]; then
            kill -KILL "$inside" 2>/dev/null || true
            wait "$inside" || true
        fi
        if flock -xn 9; then rmdir "$rltest_state" 2>/dev/null || true; fi
        rm -rf --one-file-system "$work"
    }
    trap rltest_leave EXIT
    trap 'exit 143' TERM INT HUP
    chmod 755 "$work"
    RLTEST_INSIDE=$work unshare --mount --propagation private --pid --fork --kill-child --mount-proc \
        ${own_network:+--net} \
        bash "$0" "$@" </dev/null 9<&- &
    inside=$!
    rltest_status=0
    wait "$inside" || rltest_status=$?
    inside=
    exit "$rltest_status"
fi

[ -z "${own_network:-}" ] || ip link set lo up
work=$RLTEST_INSIDE
bin=$work/bin
rltest_n=0
rltest_failed=0
rltest_planned=
rltest_at_end=()
env_user=()

rltest_finish() {
    local status=$? i
    for ((i = ${#rltest_at_end[@]} - 1; i >= 0; i--)); do
        eval "${rltest_at_end[i]}" >/dev/null 2>&1 || true
    done
    # Without a plan the harness takes a test that died half-way for a failed one.
    [ -n "$rltest_planned" ] || echo "# ended with status $status after $rltest_n results"
}
trap rltest_finish EXIT

at_end() {
    rltest_at_end+=("$(printf '%q ' "$@")")
}

note() {
    printf '%s\n' "$*" | sed 's/^/# /'
}

pass() {
    rltest_n=$((rltest_n + 1))
    echo "ok $rltest_n - $1"
}

fail() {
    rltest_n=$((rltest_n + 1))
    rltest_failed=$((rltest_failed + 1))
    echo "not ok $rltest_n - $1"
    [ -z "${2:-}" ] || note "$2"
}

skip() {
    if [ -n "${MUST_WORK:-}" ]; then
        fail "$1" "must work, but: $2"
    else
        rltest_n=$((rltest_n + 1))
        echo "ok $rltest_n - $1 # SKIP $2"
    fi
}

skip_all() {
    if [ -n "${MUST_WORK:-}" ]; then
        fail "can run here" "must work, but: $1"
        done_testing
    fi
    rltest_planned=1
    echo "1..0 # SKIP $1"
    exit 0
}

done_testing() {
    rltest_planned=1
    echo "1..$rltest_n"
    exit $((rltest_failed > 0))
}

run() {
    rc=0
    "$@" >"$work/.out" 2>"$work/.err" || rc=$?
    # shellcheck disable=SC2034 # for the test
    out=$(tr -d '\0' <"$work/.out") err=$(tr -d '\0' <"$work/.err")
}

rltest_said() {
    printf 'status %s of: %s\n' "$rc" "$*"
    [ -z "$out" ] || printf 'stdout: %s\n' "$out"
    [ -z "$err" ] || printf 'stderr: %s\n' "$err"
}

ok() {
    local name=$1
    shift
    run "$@"
    if [ "$rc" -eq 0 ]; then pass "$name"; else fail "$name" "$(rltest_said "$@")"; fi
}

fails() {
    local name=$1
    shift
    run "$@"
    if [ "$rc" -ge 1 ] && [ "$rc" -le 123 ]; then pass "$name"; else fail "$name" "$(rltest_said "$@")"; fi
}

is() {
    if [ "$2" = "$3" ]; then pass "$1"; else fail "$1" "got:  $2"$'\n'"want: $3"; fi
}

isnt() {
    if [ "$2" != "$3" ]; then pass "$1"; else fail "$1" "got what it must not be: $2"; fi
}

like() {
    if [[ $2 =~ $3 ]]; then pass "$1"; else fail "$1" "got:  $2"$'\n'"want: $3"; fi
}

unlike() {
    if [[ ! $2 =~ $3 ]]; then pass "$1"; else fail "$1" "got:  $2"$'\n'"must not match: $3"; fi
}

wait_for() {
    local end=$((${EPOCHREALTIME/[.,]/} + $1 * 1000000))
    shift
    while ! "$@" >/dev/null 2>&1; do
        [ "${EPOCHREALTIME/[.,]/}" -lt "$end" ] || return 1
        sleep 0.05
    done
}

use_programs() {
    local program
    mkdir -p "$bin"
    for program in newuidmap/newuidmap newgidmap/newgidmap rootless-setup/rootless-setup \
        rootlesskit/rootlesskit rootlesskit/api/rootlessctl \
        rootlesskit/api/rootlesskit-docker-proxy rootlesskit/api/rootlesskit-api \
        rootlesskit/api/rootlesskit-capture; do
        [ ! -x "$BUILD_ROOT/$program" ] || install -m 755 "$BUILD_ROOT/$program" "$bin/"
    done
    setcap cap_setuid+ep "$bin/newuidmap" 2>/dev/null || skip_all "no file capabilities on $work"
    setcap cap_setgid+ep "$bin/newgidmap"
    PATH=$bin:$PATH
}

make_user() {
    local ranges=()
    [ "${2:-}" != none ] || ranges=(-K SUB_UID_COUNT=0 -K SUB_GID_COUNT=0)
    useradd --create-home --home-dir "$work/home-$1" --shell /bin/sh "${ranges[@]}" "rltest-$1"
    install -d -m 700 -o "rltest-$1" -g "rltest-$1" "$work/run-$1"
    use_user "$1"
}

use_user() {
    user=rltest-$1 home=$work/home-$1 runtime=$work/run-$1
    uid=$(id -u "$user") gid=$(id -g "$user")
}

rltest_exec_as_user() {
    cd "$home" || exit 1
    exec setpriv --reuid "$uid" --regid "$gid" --init-groups env -i \
        HOME="$home" USER="$user" LOGNAME="$user" SHELL=/bin/sh XDG_RUNTIME_DIR="$runtime" \
        PATH="$bin:/usr/sbin:/usr/bin:/sbin:/bin" "${env_user[@]}" "$@"
}

as_user() {
    (rltest_exec_as_user "$@")
}

start_as_user() {
    rltest_exec_as_user "$@" &
    # shellcheck disable=SC2034 # for the test
    pid=$!
}

free_port() {
    local port
    for port in $(shuf -i 20000-32000 -n 200); do
        if [ -z "$(ss -ltnH "sport = :$port")" ]; then
            echo "$port"
            return 0
        fi
    done
    return 1
}

# The nodes of the machine keep their modes: ours lie over them. Some disks are mounted nodev.
rltest_private_machine() {
    local node
    mkdir "$work/dev" "$work/etc"
    [ -z "${memory_etc:-}" ] || mount -t tmpfs -o mode=755 rltest-etc "$work/etc"
    cp -a /etc/. "$work/etc/"
    mount --bind "$work/etc" /etc
    mkdir "$work/.var-lib"
    mount --bind "$work/.var-lib" /var/lib/rootless-toolkit
    mount -t tmpfs -o mode=755,size=64k rltest-dev "$work/dev"
    for node in net/tun:200 fuse:229; do
        [ -e "/dev/${node%:*}" ] || continue
        mknod "$work/dev/${node##*:}" c 10 "${node##*:}"
        chmod 666 "$work/dev/${node##*:}"
        mount --bind "$work/dev/${node##*:}" "/dev/${node%:*}"
    done
}
rltest_private_machine
