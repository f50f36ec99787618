#!/bin/bash
# What the command sees of the file system: copy-up, propagation, /proc, /sys, resolv.conf, hosts.
set -eu
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
use_programs
make_kit_user mounts

run as_user rootlesskit --copy-up=/etc --copy-up=/run sh -c '
    stat -f -c %T /etc && cat /etc/passwd >/dev/null && echo new >/etc/rltest && rm -f /etc/hostname &&
    mkdir /run/rltest && readlink /etc/passwd'
is "a copied-up /etc can be written" "$rc" 0
like "it is a tmpfs of links to the original" "$(echo "$out" | tr '\n' ' ')" '^tmpfs \.ro[^/]*/etc/passwd'
ok "nothing of it reached the host" test ! -e /etc/rltest -a ! -e /run/rltest
ln -s /nowhere/else "$home/link"
install -d -o "$uid" "$home/dir" -m 750
ln -s ../target "$home/dir/relative"
run as_user rootlesskit --copy-up="$home/dir" sh -c "readlink $home/dir/relative; stat -c %a $home/dir"
is "top-level links are copied, the mode is kept" "$(echo "$out" | tr '\n' ' ')" "../target 750 "
# Links that leave the copied-up directory from below (RootlessKit issue 225).
install -d -o "$uid" "$home/dir/deep/er" "$home/beside"
echo beside >"$home/beside/file"
echo within >"$home/dir/within"
ln -s ../../../beside/file "$home/dir/deep/er/out"
ln -s ../../within "$home/dir/deep/er/in"
ln -s "$(realpath -m --relative-to="$home/dir/deep/er" /etc/passwd)" "$home/dir/deep/er/far"
run as_user rootlesskit --copy-up="$home/dir/" sh -c "cd $home/dir/deep/er && cat out in && cmp far /etc/passwd && readlink -f out"
is "relative links of its sub-directories lead where they did" "$out" "beside"$'\n'"within"$'\n'"$home/beside/file"
run as_user rootlesskit --copy-up=/etc --copy-up=/run --copy-up=/var/lib --copy-up="$home" sh -c '
    find -L /etc/ssl/certs -type l | wc -l; find -L /etc/alternatives/ -type l | wc -l; stat -f -c %T /var/lib'
is "no link of the certificates dangles" "$(echo "$out" | sed -n 1p)" "$(find -L /etc/ssl/certs -type l | wc -l)"
is "nor of the alternatives" "$(echo "$out" | sed -n 2p)" "$(find -L /etc/alternatives/ -type l | wc -l)"
is "a directory deeper down works too" "$(echo "$out" | sed -n 3p)" tmpfs
run as_user rootlesskit --copy-up=/etc --copy-up=/run sh -c 'ln -s x /run/rltest; rm -f /etc/passwd /run/rltest && test ! -e /etc/passwd'
is "its entries can be removed" "$rc" 0
run as_user rootlesskit --copy-up=/tmp sh -c 'touch /tmp/rltest.copied && ls /tmp/rltest.copied'
is "/tmp can be copied up too" "$out" "/tmp/rltest.copied"

# Mounts made outside after the start: seen inside, but with private; a mount made inside never outside.
mount --make-shared /
mkdir "$work/late" "$work/inner"
declare -A want=([private]="" [rprivate]="" [slave]=file [rslave]=file [shared]=file [rshared]=file)
for mode in private rprivate slave rslave shared rshared; do
    start_kit --propagation=$mode sh -c "mount -t tmpfs tmpfs $work/inner && touch $work/inner/file && sleep 1000"
    mount -t tmpfs tmpfs "$work/late"
    touch "$work/late/file"
    root=/proc/$(cat "$state/child_pid")/root
    is "a later mount of the host's with $mode" "$(ls "$root$work/late")" "${want[$mode]}"
    ok "one made inside stays there" wait_for 10 test -e "$root$work/inner/file" -a ! -e "$work/inner/file"
    umount "$work/late"
    stop_kit
done
mount --make-private /
run as_user rootlesskit --propagation=rslave --copy-up=/run echo copied
is "slave and copy-up go together" "$out" copied

# shellcheck disable=SC2016
run as_user rootlesskit --pidns sh -c 'echo $$; ls -d /proc/[0-9]* | wc -l'
like "with --pidns /proc is the namespace's" "$(echo "$out" | tr '\n' ' ')" '^2 [2-4] $'
run as_user rootlesskit --net=gateway sh -c 'ls /sys/class/net | tr "\n" " "'
is "/sys shows the namespace's interfaces" "$out" "lo tap0 "
run as_user rootlesskit --utsns sh -c 'hostname rltest-host && hostname'
is "--utsns: a host name of its own" "$out" "rltest-host"
isnt "which is not the host's" "$(hostname)" "rltest-host"

printf '# made by a test\nsearch one.example two.example\nnameserver 192.0.2.53\noptions ndots:3\n' >/etc/resolv.conf
for copy in --copy-up=/etc ""; do
    # shellcheck disable=SC2086
    run as_user rootlesskit --net=gateway $copy cat /etc/resolv.conf
    is "resolv.conf names the gateway's DNS and keeps the rest (${copy:-no copy-up})" "$out" \
        $'nameserver 10.0.2.3\nsearch one.example two.example\noptions ndots:3'
    # shellcheck disable=SC2086
    run as_user rootlesskit --net=gateway $copy tail -n 2 /etc/hosts
    is "hosts knows the host's name (${copy:-no copy-up})" "$out" "127.0.0.1 $(hostname)"$'\n'"::1 $(hostname)"
done
rm /etc/resolv.conf
ln -s ../run/nowhere/resolv.conf /etc/resolv.conf
run as_user rootlesskit --net=gateway --copy-up=/etc cat /etc/resolv.conf
is "a dangling resolv.conf of the host is replaced" "$out" "nameserver 10.0.2.3"
done_testing
