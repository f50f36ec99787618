#!/bin/bash
# A session of an ordinary user: what it gets, and that nothing is left of it.
# shellcheck disable=SC2119 # no option is a service, too
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

service
make_user alice none
run host "$user" open env sh="stat -c '%a %U %G' /run/user/$uid" close
is "the session has its runtime directory" "$out" "XDG_RUNTIME_DIR=/run/user/$uid
700 $user $user"
like "he has subordinate uids" "$(cat /etc/subuid)" "(^|
)$user:[0-9]+:65536"
is "and the same gids" "$(grep "^$user:" /etc/subgid)" "$(grep "^$user:" /etc/subuid)"
like "which is logged" "$(logged)" "pam_rootless\(rltest:session\): $user was given the subordinate uids [0-9]+-[0-9]+"
clean "nothing is left after the last session"

given=$(cat /etc/subuid /etc/subgid)
forget_log
ok "another session" host "$user" open close
is "changes no range" "$(cat /etc/subuid /etc/subgid)" "$given"
is "and logs nothing" "$(logged)" ""

# ---- several at once ----

start_host "$user" open
run host "$user" open sh="touch /run/user/$uid/kept" close
ok "the directory stays while another session is open" test -e "/run/user/$uid/kept"
is "which is written down" "$(sessions)" 1
let_go
clean "it goes with the last"

run host "$user" open fork-close
clean "a session may be closed by another process than opened it"

printf '%s\n' "session required $module" >>/etc/pam.d/rltest
run host "$user" open sh="grep -c '^session ' /run/rootless-toolkit/pam/$uid" close
is "the module twice in a stack is one session" "$out" 1
clean "and it is closed"
service

# ---- who is left alone ----

for who in root daemon nobody; do
    forget_log
    run host "$who" open env close
    is "$who is left alone" "$rc $out$err$(logged)" "0 "
done
make_user low none
service min_uid=$((uid + 1))
run host "$user" open env close
is "min_uid leaves lower uids alone" "$out" ""
service max_uid=$((uid - 1))
run host "$user" open env close
is "max_uid leaves higher uids alone" "$out" ""
service skip_services=other,rltest
run host "$user" open env close
is "skip_services leaves a service alone" "$out" ""
is "none of them got ranges" "$(grep -c "^$user:" /etc/subuid || true)" 0
service
run host no-such-user open env close
is "an unknown user is no reason to refuse" "$rc $out" "0 "
like "but logged" "$(logged)" "no such user"

# ---- options ----

service bogus min_uid=x engine=doker debug=1 wait=100
forget_log
run host "$user" open env close
like "wrong options do not matter" "$out" "XDG_RUNTIME_DIR=/run/user/$uid"
said=$(logged)
for text in 'unknown option "bogus"' 'min_uid' 'engine=doker: must be docker' 'debug=1: takes no value' 'wait'; do
    like "and are told: $text" "$said" "$text"
done
make_user bare none
service no_subid no_runtime_dir
run host "$user" open env sh="ls -A /run/user" close
is "no_subid, no_runtime_dir" "$out$(grep "^$user:" /etc/subuid || true)" ""
service no_environment
run host "$user" open env sh="test -d /run/user/$uid && echo made" close
is "no_environment" "$out" "made"
service linger
run host "$user" open close
ok "linger leaves the directory" test -d "/run/user/$uid"
service
run host "$user" open close
clean "which the next logout without it removes"
service debug
forget_log
run host "$user" open close
like "debug tells what is done" "$(logged)" "made /run/user/$uid"

# ---- variables ----

service
start_host "$user" open
for name in bus docker.sock; do
    python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "/run/user/$uid/$name"
    chown "$user" "/run/user/$uid/$name"
done
run host "$user" open env close
is "sockets of his are named" "$(sort <<<"$out")" "DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/$uid/bus
DOCKER_HOST=unix:///run/user/$uid/docker.sock
XDG_RUNTIME_DIR=/run/user/$uid"
run host "$user" set=DOCKER_HOST=tcp://elsewhere open env close
like "what is set already stays" "$out" "DOCKER_HOST=tcp://elsewhere"
chown root "/run/user/$uid/docker.sock"
run host "$user" open env close
unlike "a socket of somebody else's is not named" "$out" "DOCKER_HOST"
run host "$user" set=XDG_RUNTIME_DIR=/somewhere/else open env close
is "with another runtime directory, set by another module, nothing is" "$out" "XDG_RUNTIME_DIR=/somewhere/else"
let_go
clean "all of it is gone"
done_testing
