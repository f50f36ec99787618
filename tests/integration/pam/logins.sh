# shellcheck shell=bash
# What the tests of real logins share, on top of common.sh, which it sources: Debian's PAM stacks in the
# test's private /etc, the services that Debian's packages have, and a network, a /run, a /dev and a /var/log
# of the test's own, so that nothing of a login is left outside.
#
#   use_module OPTION...     puts the module at the end of both of Debian's common session stacks, where
#                            pam-auth-update would. control is that of the line, "optional" unless the test
#                            says otherwise; before and after are lines around it
#   make_login NAME          an account without sub-ids, and selects it: user, uid, gid, home, and
#                            runtime=/run/user/UID
#   use_login NAME           selects one made before
#   start_sshd [LINE...]     on 127.0.0.1:22, for every account of the test, with LINE... in its configuration
#   ssh_in COMMAND...        logs in as the selected user, by ssh with a key
#
# Sessions that stay: their standard input is a pipe that the test holds, their shell reads from it.
#   open_session NAME COMMAND...   starts it; returns when its shell answers, 1 when it never does
#   in_session NAME TEXT           a line for its shell; prints what that wrote
#   close_session NAME             end of input; returns when COMMAND ended, with its status in rc
#   apart COMMAND...               runs it, in a subshell, without these pipes: whoever had them would keep
#                                  sessions from ending
#
#   gone PATH                whether there is none
#   ranges [USER]            his ranges, "uid START COUNT" and "gid START COUNT", a line each
#   given NAME [USER]        asserts that he has one range of each kind, the same, of 65536
#   clean_soon NAME          asserts that in a moment nothing of any session is left in /run
# shellcheck disable=SC2154,SC2034 # lib.sh's variables
own_network=1
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

control=optional before='' after=''

private_folder() { # PATH MODE
    [ -d "$1" ] || return 0
    mkdir "$work/private${1//\//-}"
    chmod "$2" "$work/private${1//\//-}"
    mount --bind "$work/private${1//\//-}" "$1"
}
private_folder /var/log 755
private_folder /var/mail 2777
private_folder /var/spool/cron/crontabs 1730
mkdir -p /run/sshd /run/lock
mkdir -m 1777 "$work/answers"
echo "PATH=/usr/local/bin:/usr/bin:/bin:/usr/games" >/etc/environment

use_module() {
    local stack
    for stack in common-session common-session-noninteractive; do
        [ -e "$work/.$stack" ] || grep -v pam_systemd "/etc/pam.d/$stack" >"$work/.$stack"
        {
            cat "$work/.$stack"
            echo "$before"
            echo "session $control $module $*"
            echo "$after"
        } >"/etc/pam.d/$stack"
    done
}

make_login() {
    useradd --create-home --home-dir "$work/home-$1" --shell /bin/bash \
        -K SUB_UID_COUNT=0 -K SUB_GID_COUNT=0 "rltest-$1"
    use_login "$1"
}

use_login() {
    user=rltest-$1 home=$work/home-$1
    uid=$(id -u "$user") gid=$(id -g "$user")
    runtime=/run/user/$uid
}

start_sshd() { # LINE... of its configuration
    [ -x /usr/sbin/sshd ] || skip_all "no sshd"
    ssh-keygen -q -t ed25519 -N "" -f "$work/host-key"
    ssh-keygen -q -t ed25519 -N "" -f "$work/key"
    cat >"$work/sshd_config" <<END_OF_CONFIG
ListenAddress 127.0.0.1
HostKey $work/host-key
AuthorizedKeysFile $work/key.pub
StrictModes no
UsePAM yes
PrintMotd no
MaxStartups 500
PidFile none
Subsystem sftp internal-sftp
END_OF_CONFIG
    [ $# -eq 0 ] || printf '%s\n' "$@" >>"$work/sshd_config"
    cat >"$work/ssh_config" <<END_OF_CONFIG
Host machine
HostName 127.0.0.1
IdentityFile $work/key
IdentitiesOnly yes
BatchMode yes
LogLevel ERROR
StrictHostKeyChecking no
UserKnownHostsFile /dev/null
END_OF_CONFIG
    /usr/sbin/sshd -D -f "$work/sshd_config" &
    at_end kill $!
    wait_for 10 sh -c "ss -ltnH 'sport = :22' | grep -q ."
}

ssh_in() {
    ssh -F "$work/ssh_config" -l "$user" machine "$@"
}

declare -A session_fd session_of
open_session() {
    local name=$1 fd
    shift
    mkfifo "$work/in-$name"
    (apart "$@") <"$work/in-$name" >"$work/out-$name" 2>&1 &
    session_of[$name]=$!
    # Read as well: a session that is killed must not end the test by SIGPIPE.
    exec {fd}<>"$work/in-$name"
    session_fd[$name]=$fd
    [ "$(in_session "$name" 'echo here')" = here ]
}

apart() {
    local fd
    for fd in "${session_fd[@]}"; do exec {fd}>&-; done
    "$@"
}

in_session() {
    local answer
    answer=$(mktemp -u "$work/answers/XXXXXXXX")
    printf '{ %s\n} >%s.new 2>&1; mv %s.new %s\n' "$2" "$answer" "$answer" "$answer" >&"${session_fd[$1]}"
    wait_for 30 test -e "$answer" && cat "$answer"
}

close_session() {
    local fd=${session_fd[$1]}
    exec {fd}>&-
    unset "session_fd[$1]"
    rm "$work/in-$1"
    rc=0
    wait "${session_of[$1]}" || rc=$?
}

gone() { [ ! -e "$1" ] && [ ! -L "$1" ]; }

ranges() {
    local name=${1:-$user}
    sed -n "s/^$name:\([0-9]*\):\([0-9]*\)$/uid \1 \2/p" /etc/subuid
    sed -n "s/^$name:\([0-9]*\):\([0-9]*\)$/gid \1 \2/p" /etc/subgid
}

given() {
    like "$1" "$(ranges "${2:-$user}")" $'^uid ([0-9]+) 65536\ngid \\1 65536$'
}

left() { find /run/user /run/rootless-toolkit/pam -mindepth 1 ! -name '*.lock' 2>/dev/null || true; }
left_nothing() { [ -z "$(left)" ]; }
clean_soon() {
    wait_for 30 left_nothing || true
    is "$1" "$(left)" ""
}
