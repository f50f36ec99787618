#!/bin/bash
# A subtree of cgroup v2 for each user. The tree of the test is a branch of the machine's, seen as a
# whole one through a cgroup namespace; which controllers there are is the machine's affair.
# shellcheck disable=SC2016 # the sessions' shells expand it
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

real=$(findmnt -nt cgroup2 -o TARGET | head -n 1)
[ -n "$real" ] || skip_all "no cgroup v2 here"
branch=$real/rltest-$$-$RANDOM
mkdir "$branch" 2>/dev/null || skip_all "no cgroup can be made in $real"
# What runs there, the log's reader and this shell, goes back to where they came from.
# shellcheck disable=SC2317 # called at the end
remove_branch() {
    local member top=$work/.real/${branch##*/}
    find "$top" -name cgroup.procs -exec cat {} + | while read -r member; do
        echo "$member" >"$work/.real/cgroup.procs" || true
    done
    find "$top" -depth -type d -exec rmdir {} \;
}
mkdir "$work/.real"
mount --bind "$real" "$work/.real"
at_end remove_branch
echo $$ >"$branch/cgroup.procs"
unshare --cgroup sleep 600 &
holder=$!
wait_for 10 bash -c "[ \$(readlink /proc/$holder/ns/cgroup) != \$(readlink /proc/$$/ns/cgroup) ]"
nsenter --cgroup="/proc/$holder/ns/cgroup" mount -t cgroup2 rltest-cgroup /sys/fs/cgroup
inner=$host_program
host_program=$work/host
cat >"$host_program" <<END
#!/bin/sh
exec nsenter --cgroup=/proc/$holder/ns/cgroup "$inner" "\$@"
END
chmod 755 "$host_program"

service debug
make_user alice
tree=/sys/fs/cgroup/user.slice/user-$uid.slice
run host "$user" open sh="cat /proc/\$PPID/cgroup | grep ^0::; stat -c '%n %U' $tree $tree/cgroup.* | sed 's|$tree||'" \
    close sh='grep ^0:: /proc/$PPID/cgroup'
like "the session is in a group of the user's" "$out" "^0::/user.slice/user-$uid.slice/session-1
"
for file in "" /cgroup.procs /cgroup.threads /cgroup.subtree_control; do
    like "which is his: ${file:-itself}" "$out" "(^|
)$file $user
"
done
unlike "but not its limits" "$out" "cgroup\.(freeze|kill|max[^ ]*|type) $user"
like "after it the process is where it was" "$out" "0::/$"
ok "and the subtree is gone" test ! -e "$tree"

# ---- several sessions ----

start_host "$user" open
run host "$user" open sh='grep ^0:: /proc/$PPID/cgroup' close
is "each session has a group of its own" "$out" "0::/user.slice/user-$uid.slice/session-2"
ok "which goes with it" test ! -e "$tree/session-2"
ok "and the other stays" test -e "$tree/session-1"
run host "$user" open sh="$host_program rltest $user open sh='grep ^0:: /proc/\$PPID/cgroup' close </dev/null" close
is "a session within one stays where it is" "$out" "0::/user.slice/user-$uid.slice/session-3"

# ---- what the user does there ----

in_tree() { # COMMAND: as the user, in his session's group
    "$host_program" rltest "$user" open sh="setpriv --reuid $uid --regid $gid --clear-groups sh -c '$1'" close </dev/null
}
run in_tree "mkdir $tree/own $tree/own/deep && echo \$\$ >$tree/own/deep/cgroup.procs && grep ^0:: /proc/self/cgroup"
is "he makes groups and moves his processes there" "$out" "0::/user.slice/user-$uid.slice/own/deep"
run in_tree "echo 1 >$tree/cgroup.freeze"
isnt "he cannot freeze the whole" "$err" ""
run in_tree "echo \$\$ >/sys/fs/cgroup/cgroup.procs"
isnt "nor leave it" "$err" ""
run in_tree "mkdir $tree/session-6 $tree/session-7 $tree/session-8; for i in 6 7 8; do echo 1 >$tree/session-\$i/cgroup.freeze; done"
run timeout 20 "$host_program" rltest "$user" open sh='grep ^0:: /proc/$PPID/cgroup' close
like "a frozen group that he prepared is not entered" "$rc $out" "^0 0::/user.slice/user-$uid.slice/session-[0-9]+$"
let_go
ok "with the last session everything goes, what he made too" test ! -e "$tree"

# ---- processes that stay ----

run host "$user" open sh='sleep 600 >/dev/null 2>&1 & echo $! >'"$work/stays" close
stays=$(cat "$work/stays")
ok "a process that goes on keeps its group" test -e "$tree"
ok "and is not killed" kill -0 "$stays"
kill "$stays"
wait_for 10 bash -c "! kill -0 $stays"
run host "$user" open close
ok "the next last session removes it" test ! -e "$tree"

service no_cgroup
run host "$user" open sh='grep ^0:: /proc/$PPID/cgroup' close
is "no_cgroup" "$out" "0::/"
service
run host "$user" set=XDG_SESSION_ID=4 open sh='grep ^0:: /proc/$PPID/cgroup' close
is "a session that a manager follows is left where it is" "$out" "0::/"
mkdir -p /run/systemd/system
run host "$user" open env sh='grep ^0:: /proc/$PPID/cgroup; ls -A /run/user' close
is "under systemd nothing is made" "$out" "0::/"
done_testing
