#!/bin/bash
# An error of any system call of a writer: the pair of files is the old or the new one, as it says,
# and nothing is left after the next writer.
set -eu
# shellcheck source-path=SCRIPTDIR source=crash_common.sh
. "$(dirname "$0")/crash_common.sh"

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
failing_anywhere "add" 5 "$setup" subid add --root "$root" --count 70000 alice
begin
failing_anywhere "del" 28 "$setup" subid del --root "$root" alice
begin
rm "$root/etc/subuid" "$root/etc/subgid"
failing_anywhere "add to nothing" 28 "$setup" subid add --root "$root" alice
done_testing
