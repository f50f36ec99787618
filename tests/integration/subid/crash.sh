#!/bin/bash
# A crash at any system call of a writer: the pair of files is the old or the new one after the next
# writer, with a record only of what happened, and nothing is left.
set -eu
# shellcheck source-path=SCRIPTDIR source=crash_common.sh
. "$(dirname "$0")/crash_common.sh"

# killed_anywhere NAME COMMAND...
killed_anywhere() {
    local name=$1 status
    shift
    learn "$@"
    while :; do
        n=$((n + 1)) status=0
        restore
        "$crash" kill $n "$@" >/dev/null 2>&1 || status=$?
        [ $status -ne $not_reached ] || break
        [ $status -eq $killed ] || trouble+="call $n: status $status"$'\n'
        read_pair
        [ "$uids" = "$old_uids" ] || [ "$uids" = "$new_uids" ] || trouble+="call $n: subuid is neither"$'\n'
        [ "$gids" = "$old_gids" ] || [ "$gids" = "$new_gids" ] || trouble+="call $n: subgid is neither"$'\n'
        if [[ $uids != "$old_uids" && $gids == "$old_gids" ]]; then n_half=$((n_half + 1)); fi
        next_writer $n
        check_settled $n 1
    done
    note "$name: $((n - 1)) calls: $n_old times old, $n_new times new, $n_half times half before the next writer"
    is "killed anywhere in $name: the pair is whole, nothing is left" "${trouble:0:2000}" ""
    ok "killed anywhere in $name: both outcomes and the half pair were met" \
        test $n_old -gt 0 -a $n_new -gt 0 -a $n_half -gt 0
}

begin
killed_anywhere "add" "$setup" subid add --root "$root" --count 70000 alice
begin
killed_anywhere "add of several" "$setup" subid add --root "$root" --count 70000 alice bob
begin
killed_anywhere "del" "$setup" subid del --root "$root" alice --range 100500-100599
begin
rm "$root/etc/subuid" "$root/etc/subgid"
killed_anywhere "add to nothing" "$setup" subid add --root "$root" alice

# The writer that clears up after a crash is killed, too.
begin
rm -rf "$base"
cp -a "$root" "$base"
"$setup" subid add --root "$root" --count 70000 alice >/dev/null
read_pair
added_uids=$uids added_gids=$gids
n=0
while :; do
    n=$((n + 1))
    restore
    "$crash" kill $n "$setup" subid add --root "$root" --count 70000 alice >/dev/null 2>&1 || [ $? -eq $killed ] || break
    read_pair
    [[ $uids != "$added_uids" || $gids == "$added_gids" ]] || break
done
ok "a half pair is found" test "$uids" = "$added_uids" -a "$gids" != "$added_gids"
rm -rf "$base"
cp -a "$root" "$base"
trouble='' n=0 n_bob=0
while :; do
    n=$((n + 1)) status=0
    restore
    "$crash" kill $n "$setup" subid add --root "$root" --count 75000 bob >/dev/null 2>&1 || status=$?
    [ $status -ne $not_reached ] || break
    next_writer $n
    read_pair
    all=2
    if [ "${uids#"$added_uids"}" != "" ]; then n_bob=$((n_bob + 1)) all=3; fi
    [ "$uids" = "$gids" ] && [[ $uids == "$added_uids"* ]] || trouble+="call $n: $uids/ $gids"$'\n'
    [ -z "$(leftovers)" ] || trouble+="call $n: left behind: $(leftovers)"$'\n'
    [ "$(n_records)" -eq $all ] || trouble+="call $n: $(n_records) records, not $all"$'\n'
done
is "the writer that completes it is killed anywhere: the change is whole" "${trouble:0:2000}" ""
ok "sometimes its own change is made, sometimes not" test $n_bob -gt 0 -a $n_bob -lt $((n - 1))
done_testing
