#!/bin/bash
# A crash at any system call of a writer, and an error of any: the pair of files is the old or the
# new one after the next writer, with a record only of what happened, and nothing is left.
# $2: the program that ends another at a chosen call
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"
crash=$2
killed=120 not_reached=121 cannot_fail=122

base=$work/base
records=$root/var/lib/rootless-toolkit/subid

# A tree with two users' ranges, to which each case adds.
begin() {
    fresh
    mkdir -p "$root/var/lib"
    echo 'carol:x:1005:1005::/home/carol:/bin/sh' >>"$root/etc/passwd"
    printf '# kept\nalice:100000:65536\nbob:165536:65536\n#last\n' | tee "$root/etc/subuid" >"$root/etc/subgid"
    chmod 0640 "$root/etc/subuid"
    chown 1:2 "$root/etc/subuid"
}

# Sets uids and gids to what the files hold, but for carol's lines.
read_pair() {
    local line
    uids='' gids=''
    while IFS= read -r line; do
        [[ $line == carol:* ]] || uids+=$line$'\n'
    done 2>/dev/null <"$root/etc/subuid" || true
    while IFS= read -r line; do
        [[ $line == carol:* ]] || gids+=$line$'\n'
    done 2>/dev/null <"$root/etc/subgid" || true
}

restore() {
    rm -rf "$root"
    cp -a "$base" "$root"
}

# What is left beside the files themselves: locks and names of a change under way.
leftovers() {
    local found=("$root"/etc/*rootless* "$root"/etc/*.lock*)
    echo "${found[*]}"
}
shopt -s nullglob

n_records() {
    local found=("$records"/*)
    echo ${#found[@]}
}

# The pair must be one of the two now, the files look as before. $1: n-th call
check_settled() {
    local all
    read_pair
    if [ "$uids" = "$old_uids" ] && [ "$gids" = "$old_gids" ]; then
        n_old=$((n_old + 1)) all=$had_records
    elif [ "$uids" = "$new_uids" ] && [ "$gids" = "$new_gids" ]; then
        n_new=$((n_new + 1)) all=$((had_records + 1))
    else
        trouble+="call $1: neither the old pair nor the new one: $uids/ $gids"$'\n'
        return
    fi
    [ "$(n_records)" -eq $((all + $2)) ] || trouble+="call $1: $(n_records) records, not $((all + $2))"$'\n'
    [ "$(stat -c '%a %u:%g' "$root/etc/subuid")" = "$looks" ] || trouble+="call $1: mode or owner"$'\n'
    [ -z "$(leftovers)" ] || trouble+="call $1: left behind: $(leftovers)"$'\n'
}

# Another writer comes; carol is new to the pair.
next_writer() {
    "$setup" subid list --root "$root" >/dev/null 2>"$work/err" || [ ! -s "$work/err" ] ||
        [[ $(<"$work/err") == *nobody* ]] || trouble+="call $1: list: $(<"$work/err")"$'\n'
    "$setup" subid add --wait 0 --root "$root" carol >/dev/null 2>"$work/err" ||
        trouble+="call $1: the next writer: $(<"$work/err")"$'\n'
    [[ $(<"$work/err") != *$'\n'* ]] || trouble+="call $1: more than a line: $(<"$work/err")"$'\n'
}

# Learns what the command makes of the base tree.
learn() {
    rm -rf "$base"
    cp -a "$root" "$base"
    read_pair
    old_uids=$uids old_gids=$gids had_records=$(n_records)
    looks=$(stat -c '%a %u:%g' "$root/etc/subuid" 2>/dev/null || echo "644 0:0")
    "$@" >/dev/null 2>&1
    read_pair
    new_uids=$uids new_gids=$gids
    n=0 n_old=0 n_new=0 n_half=0 trouble=
}

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

# failing_anywhere NAME ERRNO COMMAND...
failing_anywhere() {
    local name=$1 code=$2 status whole
    shift 2
    learn "$@"
    while :; do
        n=$((n + 1)) status=0
        restore
        "$crash" fail $n "$code" "$@" >/dev/null 2>"$work/said" || status=$?
        [ $status -ne $not_reached ] || break
        [ $status -ne $cannot_fail ] || continue
        [ $status -lt 128 ] || trouble+="call $n: status $status"$'\n'
        read_pair
        whole=neither
        if [ "$uids$gids" = "$old_uids$old_gids" ]; then whole=old; fi
        if [ "$uids$gids" = "$new_uids$new_gids" ]; then whole=new; fi
        case $whole:$status in
            old:0 | neither:*) trouble+="call $n: status $status, $whole pair: $(<"$work/said")"$'\n' ;;
            new:0) ;;
            new:*) [[ $(<"$work/said") == *"change is made"* ]] ||
                trouble+="call $n: the new pair, but: $(<"$work/said")"$'\n' ;;
        esac
        [ -s "$work/said" ] || [ $status -eq 0 ] || trouble+="call $n: status $status without a word"$'\n'
        next_writer $n
        read_pair
        check_failed $n
    done
    note "$name: $((n - 1)) calls: $n_old times old, $n_new times new"
    is "error $code of any call in $name: the pair is whole, nothing is left" "${trouble:0:2000}" ""
    ok "error $code of any call in $name: both outcomes were met" test $n_old -gt 0 -a $n_new -gt 0
}

# As check_settled, but where the command has said so its change may lack its record.
check_failed() {
    local carol=1
    if [[ $(<"$work/said") == *"cannot be undone"* ]] && [ "$(n_records)" -eq $((had_records + 1)) ]; then carol=0; fi
    check_settled "$1" $carol
}

begin
killed_anywhere "add" "$setup" subid add --root "$root" --count 70000 alice
begin
killed_anywhere "add of several" "$setup" subid add --root "$root" --count 70000 alice bob
begin
killed_anywhere "del" "$setup" subid del --root "$root" alice 100500-100599
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

begin
failing_anywhere "add" 5 "$setup" subid add --root "$root" --count 70000 alice
begin
failing_anywhere "add" 28 "$setup" subid add --root "$root" --count 70000 alice
begin
failing_anywhere "del" 5 "$setup" subid del --root "$root" alice
begin
rm "$root/etc/subuid" "$root/etc/subgid"
failing_anywhere "add to nothing" 28 "$setup" subid add --root "$root" alice
done_testing
