#!/bin/bash
# Which subordinate ids are mapped, by --subid-source and $GETSUBIDS, and the errors where that cannot be.
set -eu
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
use_programs
make_kit_user ids none
sed -i '/^subid:/d' /etc/nsswitch.conf
sed -i '/^root:/d' /etc/subuid /etc/subgid

ranges() { # RANGE...: all that the user has, both kinds
    printf "$user:%s\n" "$@" | tee /etc/subuid >/etc/subgid
}
maps() { as_user rootlesskit "$@" cat /proc/self/uid_map /proc/self/gid_map | tr -s ' ' | sed 's/^ //'; }
refused() { # NAME ERE WORD...
    run as_user "${@:3}"
    is "$1: status" "$rc" 1
    is "$1: one line" "$(printf '%s\n' "$err" | grep -c .)" 1
    like "$1: says what" "$err" "$2"
    is "$1: nothing left behind" "$(family)$(state_dirs)" ""
}

# The files.
ranges 300000:10 400000:20 300000:10
is "several ranges in the files' order, a repeated one once" "$(maps)" "0 $uid 1
1 300000 10
11 400000 20
0 $gid 1
1 300000 10
11 400000 20"
sed "s/^$user:400000/$uid:400000/" -i /etc/subuid
sed -i "s/^$user:400000:20/$gid:500000:5/" /etc/subgid
is "by number too, and that is the uid in both files" "$(maps --subid-source=static)" "0 $uid 1
1 300000 10
11 400000 20
0 $gid 1
1 300000 10$([ "$uid" -ne "$gid" ] || printf '\n11 500000 5')"
ranges "$((uid - 5)):10" 300000:10
is "the own id is root and nothing else" "$(maps | head -4)" "0 $uid 1
1 $((uid - 5)) 5
6 $((uid + 1)) 4
10 300000 10"
ranges 300000:10 300005:10
refused "overlapping ranges" "300000:10 and 300005:10 .*overlap.*subid repair" rootlesskit true
# shellcheck disable=SC2046
ranges $(seq -f '%.0f:1' 300000 2 300900)
refused "too many ranges" "340 or more ranges" rootlesskit true
# shellcheck disable=SC2046
ranges $(seq -f '%.0f:1' 300000 2 300676)
refused "more than the kernel reads" "newuidmap: 340 ranges make a map of more than 4095 bytes" rootlesskit true

# $GETSUBIDS, as RootlessKit runs it.
ranges 300000:100000
cat >"$bin/ask" <<'END'
#!/bin/sh
case "$*" in
"$USER") printf '# mine\n0: %s 300000 10\n' "$USER" ;;
"$(id -u)") printf '0: %s 300000 10\n1: %s 310000 10\n' "$1" "$1" ;;
"-g $USER") printf '0: %s 320000 10\n' "$USER" ;;
*) echo "Error fetching ranges" >&2; exit 1 ;;
esac
END
chmod 755 "$bin/ask"
env_user+=(GETSUBIDS=ask)
want="0 $uid 1
1 300000 10
11 310000 10
0 $gid 1
1 320000 10"
is "GETSUBIDS: by name and by uid, each range once" "$(maps)" "$want"
is "GETSUBIDS: with --subid-source=dynamic too" "$(maps --subid-source=dynamic)" "$want"
is "GETSUBIDS: not with --subid-source=static" "$(maps --subid-source=static | sed -n 2p)" "1 300000 100000"
run as_user rootlesskit true
is "GETSUBIDS: its failed questions are not told" "$err" ""
env_user[-1]=GETSUBIDS=/no/such
refused "GETSUBIDS: that is not there" 'GETSUBIDS.*/no/such' rootlesskit --subid-source=dynamic true
run as_user rootlesskit true
is "GETSUBIDS: auto goes on without it" "$rc" 0
like "GETSUBIDS: and says so" "$err" "warning: .*GETSUBIDS.*/no/such.*going by nsswitch.conf"
printf '#!/bin/sh\necho "0: me 1 2"\necho "who are you?"\n' >"$bin/ask"
env_user[-1]=GETSUBIDS=$bin/ask
refused "GETSUBIDS: odd output" "line 2 of its output is not like" rootlesskit --subid-source=dynamic true
printf '#!/bin/sh\nexec yes "0: me 1 2"\n' >"$bin/ask"
refused "GETSUBIDS: endless output" "longer than 65535 bytes" rootlesskit --subid-source=dynamic true
printf '#!/bin/sh\n' >"$bin/ask"
refused "GETSUBIDS: nothing" "no subordinate uids .*output of .GETSUBIDS" rootlesskit --subid-source=dynamic true
is "GETSUBIDS: auto takes the next source" "$(maps 2>/dev/null | sed -n 2p)" "1 300000 100000"
unset 'env_user[-1]'

# Errors that teach.
refused "unknown source" 'unknown value "file".*auto, dynamic, static' rootlesskit --subid-source=file true
: >/etc/subgid
refused "no gids" "no subordinate gids for user $user .*/etc/subgid; .*sudo rootless-setup subid add $user" rootlesskit true
rm /etc/subgid /etc/subuid
refused "no files" "no subordinate uids for user $user .*/etc/subuid; .*sudo rootless-setup subid add $user" rootlesskit true
ranges 300000:10
nameless() { # what as_user is for one whom passwd does not know
    (cd / && setpriv --reuid "$uid" --regid "$gid" --clear-groups env -i PATH="$PATH" TMPDIR="$home/tmp" "$@")
}
cp /etc/passwd "$work/passwd"
sed -i "/^$user:/d" /etc/passwd
run nameless rootlesskit true
is "a uid without a name: status" "$rc" 1
like "a uid without a name: says what" "$err" "uid $uid has no passwd entry.*getent passwd $uid.*subid add"
printf '%s\n' "$uid:300000:10" | tee /etc/subuid >/etc/subgid
run nameless rootlesskit cat /proc/self/uid_map
like "a uid without a name: the ranges of its number" "$(tr -s ' ' <<<"$out")" " 1 300000 10"
cp "$work/passwd" /etc/passwd

mv "$bin/newgidmap" "$work/"
env_user+=("PATH=$bin")
refused "no newgidmap" "newgidmap is not in .PATH: install it .*rootless-setup check" "$bin/rootlesskit" /bin/true
mv "$work/newgidmap" "$bin/"
unset 'env_user[-1]'
setcap -r "$bin/newgidmap"
refused "newgidmap without its capability" "newgidmap: .*sudo setcap cap_setgid.ep $bin/newgidmap" rootlesskit true
chmod 4755 "$bin/newgidmap"
is "the setuid bit does as well" "$(maps | sed -n 2p)" "1 300000 10"
chmod 755 "$bin/newgidmap"
setcap cap_setgid+ep "$bin/newgidmap"
refused "no_new_privs" "newuidmap: .*no_new_privs is set on this process" setpriv --no-new-privs rootlesskit true
mkdir "$work/nosuid"
mount --bind "$bin" "$work/nosuid"
mount -o remount,bind,nosuid "$work/nosuid"
env_user+=("PATH=$work/nosuid:/usr/bin:/bin")
refused "on a nosuid mount" "$work/nosuid/newuidmap is on a file system mounted nosuid.*elsewhere" rootlesskit true
unset 'env_user[-1]'
is "and all is well again" "$(maps | sed -n 2p)" "1 300000 10"
done_testing
