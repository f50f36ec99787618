#!/bin/bash
# The session module on a machine with cgroup v2 and no systemd: what it delegates lets the user's engine
# limit its containers.
# shellcheck disable=SC2016,SC2119 # for shells inside; no option is an option
set -eu
# shellcheck source-path=SCRIPTDIR source=../integration/pam/logins.sh
. "$(dirname "$0")/../integration/pam/logins.sh"

use_module
start_sshd
make_login alice
tree=/user.slice/user-$uid.slice slice=/sys/fs/cgroup/user.slice/user-$uid.slice

open_session alice ssh_in bash
inside() { in_session alice "$1"; }
session=$(inside 'sed -n s/^0:://p /proc/self/cgroup')
like "a login is in a cgroup of its own" "$session" "^$tree/session-[0-9]+$"
for name in memory pids cpu io; do
    like "$name is handed on" " $(inside "cat $slice/cgroup.subtree_control") " " $name "
done
is "a group of hers" "$(inside "mkdir $slice/mine && sh -c 'echo 0 >$slice/mine/cgroup.procs && sed -n s/^0:://p /proc/self/cgroup'")" \
    "$tree/mine"
is "a limit of hers on it" "$(inside "echo 64M >$slice/mine/memory.max && cat $slice/mine/memory.max; rmdir $slice/mine")" 67108864
fails "limits of her whole tree are root's" su "$user" -s /bin/sh -c "echo max >$slice/memory.max"
fails "so are other users'" su "$user" -s /bin/sh -c "mkdir $slice/../mine"

# A container of crun's, in a group below hers: 32 MiB and 8 processes.
bundle=$home/bundle
install -d -o "$user" -g "$user" "$bundle" "$bundle"/rootfs/{,bin,proc,tmp}
cp /bin/busybox "$bundle/rootfs/bin/"
container() { # NAME COMMAND...: config.json
    (cd "$bundle" && rm -f config.json && crun spec --rootless && python3 - "$1" "${@:2}" <<'END_OF_EDIT'
import json, sys
name, *command = sys.argv[1:]
with open("config.json") as file:
    config = json.load(file)
config["process"].update(terminal=False, args=["/bin/busybox"] + command)
config["linux"]["cgroupsPath"] = name
config["linux"]["resources"] = {"memory": {"limit": 32 << 20, "swap": 32 << 20}, "pids": {"limit": 8}}
with open("config.json", "w") as file:
    json.dump(config, file)
END_OF_EDIT
    )
}
crun_as() { inside "cd $bundle; crun --root $runtime/crun --cgroup-manager=cgroupfs run box 2>&1; echo status \$?"; }

container "$tree/box" sh -c 'echo started'
is "her engine starts a container in it" "$(crun_as)" $'started\nstatus 0'
container "$tree/box" sh -c 'busybox dd if=/dev/zero of=/dev/null bs=16M count=1 2>/dev/null && echo 16; busybox dd if=/dev/zero of=/dev/null bs=100M count=1 2>/dev/null && echo 100; true'
is "it has 32 MiB of memory and not more" "$(crun_as)" $'16\nstatus 0'
container "$tree/box" sh -c 'for i in 1 2 3 4 5 6 7 8 9 10; do busybox sleep 30 & done; echo never'
said=$(crun_as)
like "it has 8 processes and not more" "$said" "can't fork"
unlike "the ninth is refused" "$said" never

# More sessions, and the end.
open_session other su - "$user"
like "another session has another group" "$(in_session other 'sed -n s/^0:://p /proc/self/cgroup')" "^$tree/session-[0-9]+$"
isnt "of its own" "$(in_session other 'sed -n s/^0:://p /proc/self/cgroup')" "$session"
close_session other
ok "its end takes its group away" wait_for 60 gone "$slice/session-2"
is "and nothing else" "$(inside 'sed -n s/^0:://p /proc/self/cgroup')" "$session"
inside "mkdir -p $slice/left/over/deep" >/dev/null
close_session alice
ok "the last takes all of it" wait_for 60 gone "$slice"
clean_soon "nothing is left"
is "sshd is where it was" "$(sed -n 's/^0:://p' "/proc/$(pgrep -of 'sshd: /usr/sbin/sshd')/cgroup")" /

# Root's own: su from his shell leaves his shell alone.
ok "root comes back from su" su - "$user" -c true
is "to where he was" "$(sed -n 's/^0:://p' /proc/self/cgroup)" /
use_module no_cgroup
is "no_cgroup delegates nothing" "$(su - "$user" -c 'sed -n s/^0:://p /proc/self/cgroup')" /
done_testing
