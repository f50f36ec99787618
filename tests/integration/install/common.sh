# shellcheck shell=bash
# What the tests of install, uninstall and status share, on top of lib.sh. Names of everything are odd on
# purpose: the programs' folder has blanks, %, $, quotes and letters of other languages in its name, the
# users' homes blanks and such letters: in these Docker itself trips over %, and Podman over $.
#
#   make_odd_user NAME       make_user, with such a home
#   setup ARGS...            rootless-setup as the user
#   tree                     every file below his home, with its content
#   use_systemd              traces of systemd as pid 1, and of no manager of the user's
#   start_manager            a real systemd --user for the user, with its bus, in a cgroup of its own
#   stop_manager
#   systemctl ARGS...        the user's
#
# shellcheck disable=SC2154 # lib.sh's variables
own_network=1
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

odd="o dd %h\$x\"q'é"
odd_home="h ome é"
bin=$work/$odd/bin
use_programs

make_odd_user() {
    make_user "$1"
    usermod --home "$work/$odd_home $1" --move-home "$user"
    home="$work/$odd_home $1"
}

setup() { as_user rootless-setup "$@"; }

tree() {
    (cd "$home" && find . -printf '%p %y %m %u %l\n' | sort && find . -type f -exec sha256sum {} + | sort)
}

use_systemd() {
    [ -d /run/systemd ] || { mkdir /run/systemd && at_end rmdir /run/systemd; }
    mount -t tmpfs -o mode=755 tmpfs /run/systemd
    mkdir /run/systemd/system
}

manager_cgroup=/sys/fs/cgroup/${work##*/}
manager_program=/lib/systemd/systemd
can_manage() {
    [ -x "$manager_program" ] && [ -e /usr/lib/systemd/user/dbus.socket ]
}
start_manager() {
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    mkdir "$manager_cgroup"
    chown "$uid" "$manager_cgroup" "$manager_cgroup"/cgroup.{procs,subtree_control}
    (
        echo 0 >"$manager_cgroup/cgroup.procs"
        rltest_exec_as_user env SYSTEMD_LOG_TARGET=console "$manager_program" --user
    ) >"$work/manager.log" 2>&1 &
    manager=$!
    at_end stop_manager
    wait_for 20 systemctl is-system-running || skip_all "no systemd --user here: $(tail -n 1 "$work/manager.log")"
}
# What a user's manager leaves running when it ends: Podman's pause process, for one.
no_cgroup() {
    [ ! -e "$manager_cgroup" ] || echo 1 >"$manager_cgroup/cgroup.kill"
    find "$manager_cgroup" -depth -type d -exec rmdir {} + 2>/dev/null
    [ ! -e "$manager_cgroup" ]
}
stop_manager() {
    [ -n "${manager:-}" ] || return 0
    systemctl exit || true
    wait "$manager" || true
    manager=
    wait_for 30 no_cgroup
}
systemctl() { as_user systemctl --user "$@"; }
