#!/bin/bash
# Sessions that nobody closes, state of another boot, state that is no state.
# shellcheck disable=SC2119 # no option is a service, too
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

service
make_user alice
state=/run/rootless-toolkit/pam/$uid

run host "$user" open exit
ok "one that ends without closing leaves its directory" test -d "/run/user/$uid"
is "and its line" "$(sessions)" 1
run host "$user" open sh="grep -c '^session ' $state" close
is "the next session does not count it" "$out" 1
clean "and clears up"

start_host "$user" open
kill -KILL "$host_pid"
let_go 2>/dev/null
start_host "$user" open
is "nor one that was killed" "$(sessions)" 1
let_go
clean "which is cleared up as well"

# ---- numbers used again ----

run host "$user" open exit
sed -i "s/^session \([0-9]*\) [0-9]* \([0-9]*\)$/session \1 $$ \2/" "$state"
like "a session whose pid is another process's now" "$(cat "$state")" "session [0-9]+ $$ "
run host "$user" open close
clean "is over"

run host "$user" open exit
read -r _ _ birth < <(python3 -c "print(open('/proc/$$/stat').read().rsplit(')', 1)[1].split()[19])" | sed 's/^/x x /')
sed -i "s/^session \([0-9]*\) .*/session \1 $$ $birth/" "$state"
run host "$user" open close
is "one whose pid and birth are a living process's goes on" "$(sessions)" 1
sed -i 's/^boot .*/boot 01234567-89ab-cdef-0123-456789abcdef/' "$state"
run host "$user" open close
clean "but not one of another boot"

# ---- serial numbers ----

start_host "$user" open
sed -i 's/^serial .*/serial 2147483647/; s/^session [0-9]* /session 1 /' "$state"
run host "$user" open sh="grep -c '^session 2 ' $state" close
is "serial numbers begin anew, and pass by those in use" "$out" 1
sed -i 's/^session 1 /session 3 /; s/^serial .*/serial 3/' "$state"
let_go
is "a session is closed by its own number" "$(sessions)" 1
run host "$user" open close
clean "and the other with its process"

# ---- what is no state ----

for what in "" "garbage" $'rootless-toolkit pam 1\nboot x\nserial 1\nsession 1 1\n' \
    $'rootless-toolkit pam 1\nboot x\nserial 1\nruntime-dir 99999999999999999999999 1\n'; do
    mkdir -p "${state%/*}"
    printf '%s' "$what" >"$state"
    forget_log
    run host "$user" open env close
    is "a damaged state is no reason to refuse" "$rc $out" "0 XDG_RUNTIME_DIR=/run/user/$uid"
    like "but logged" "$(logged)" "cannot be read, the sessions in it are forgotten"
    clean "and replaced"
done
head -c 200000 /dev/zero >"$state"
run host "$user" open close
is "so is one that is too long" "$rc" 0
clean "which is replaced too"

# ---- killed half-way ----

# The helper of a session is killed wherever it is; the next session finds its way.
for i in $(seq 20); do
    "$host_program" rltest "$user" open exit </dev/null &
    victim=$!
    sleep "0.00$((RANDOM % 10))"
    while read -r helper; do
        kill -KILL "$helper" 2>/dev/null || true
    done < <(pgrep -P "$victim" || true)
    kill -KILL "$victim" 2>/dev/null || true
    wait "$victim" 2>/dev/null || true
done
run host "$user" open env close
is "after sessions that were killed half-way" "$rc $out" "0 XDG_RUNTIME_DIR=/run/user/$uid"
clean "nothing is left"
ok "no helper goes on" bash -c '! pgrep -x pam_rootless'
done_testing
