#!/bin/bash
# fix and undo are killed, or a call of theirs fails, at each of their system calls: undo restores
# what was there byte for byte, and fix completes what was begun. $2: the program that does that.
set -eu
own_network=1
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"
crash=$2
[ -x "$crash" ] || skip_all "no crash program"
killed=120 not_reached=121 cannot_fail=122
EIO=5

# In memory, for there are some hundred trees.
mkdir "$work/mem"
mount -t tmpfs rltest-crash "$work/mem"
root=$work/mem/root base=$work/mem/base
mkdir -p "$root/etc/sysctl.d" "$root/var/lib" "$root/usr/lib/systemd/system" "$root/usr/lib/udev"
printf 'odd \377\0 bytes' >"$root/etc/sysctl.d/60-rootless-ping.conf"
chmod 600 "$root/etc/sysctl.d/60-rootless-ping.conf"
chown 7:8 "$root/etc/sysctl.d/60-rootless-ping.conf"
cp -a "$root" "$base"
checks="cgroup net.tun net.ping"
# shellcheck disable=SC2086 # the list is words
fix_all() { "$setup" fix --root "$root" $checks; }
before=$(tree "$root")
fix_all >/dev/null
after=$(tree "$root")
undo --root "$root" >/dev/null
is "undo restores the tree" "$(tree "$root")" "$before"

# at_each NAME HOW... COMMAND...: HOW is "kill" or "fail", with the errno behind the number
at_each() {
    local name=$1 how=$2 code=$3 n=0 status trouble='' n_before=0 n_after=0 now
    shift 3
    while :; do
        n=$((n + 1)) status=0
        rm -rf "$root"
        cp -a "$base" "$root"
        begin
        # shellcheck disable=SC2086 # no word for kill
        "$crash" "$how" $n $code "$@" >/dev/null 2>&1 || status=$?
        [ $status -ne $not_reached ] || break
        [ "$how" != kill ] || [ $status -eq $killed ] || trouble+="call $n: status $status"$'\n'
        [ "$how" != fail ] || [ $status -le 2 ] || [ $status -eq $cannot_fail ] || trouble+="call $n: status $status"$'\n'
        now=$(tree "$root")
        if [ "$now" = "$before" ]; then n_before=$((n_before + 1)); fi
        if [ "$now" = "$after" ]; then n_after=$((n_after + 1)); fi
        # By turns: completed first, or taken back at once.
        if [ $((n % 2)) -eq 0 ]; then
            fix_all >"$work/again" 2>&1 || trouble+="call $n: fix again: $(cat "$work/again")"$'\n'
            [ "$(tree "$root")" = "$after" ] || trouble+="call $n: not completed"$'\n'
        fi
        "$setup" undo --root "$root" >"$work/again" 2>&1 || trouble+="call $n: undo: $(cat "$work/again")"$'\n'
        [ "$(tree "$root")" = "$before" ] || trouble+="call $n: not as before: $(diff <(echo "$before") <(tree "$root") || true)"$'\n'
    done
    note "$name: $((n - 1)) calls, $n_before times as before, $n_after times complete"
    is "$name: nothing is lost" "${trouble:0:2000}" ""
    ok "$name: both outcomes were met" test $n_before -gt 0 -a $n_after -gt 0
}

begin() { :; }
# shellcheck disable=SC2086
at_each "fix killed anywhere" kill "" "$setup" fix --root "$root" $checks
# shellcheck disable=SC2086
at_each "a call of fix fails" fail $EIO "$setup" fix --root "$root" $checks
begin() { fix_all >/dev/null; }
at_each "undo killed anywhere" kill "" "$setup" undo --root "$root"
at_each "a call of undo fails" fail $EIO "$setup" undo --root "$root"

# The same on the running machine, where the value is set as well.
ping=/proc/sys/net/ipv4/ping_group_range
before=$(tree /etc) was=$(cat $ping) n=0 n_set=0 trouble=''
while :; do
    n=$((n + 1)) status=0
    "$crash" kill $n "$setup" fix net.ping >/dev/null 2>&1 || status=$?
    [ $status -ne $not_reached ] || break
    if [ "$(cat $ping)" != "$was" ]; then n_set=$((n_set + 1)); fi
    if [ $((n % 2)) -eq 0 ]; then
        fix net.ping >/dev/null
        [ "$(tr '\t' ' ' <$ping)" = "0 2147483647" ] || trouble+="call $n: not completed"$'\n'
    fi
    undo >/dev/null
    [ "$(cat $ping)" = "$was" ] || trouble+="call $n: the value is $(cat $ping)"$'\n'
    [ "$(tree /etc)" = "$before" ] || trouble+="call $n: /etc is not as before"$'\n'
done
is "killed anywhere on the running machine: file and value come back" "${trouble:0:2000}" ""
ok "... also when both were set" test $n_set -gt 0 -a $n_set -lt $n

done_testing
