#!/bin/bash
# login(1) on a terminal, with a password and from a getty; logout, and a terminal that goes away.
# shellcheck disable=SC2016,SC2119 # for shells inside; no option is an option
set -eu
# shellcheck source-path=SCRIPTDIR source=logins.sh
. "$(dirname "$0")/logins.sh"

use_module
make_login alice
echo "$user:correct horse" | chpasswd
look='echo $XDG_RUNTIME_DIR; stat -c "%a %U:%G %F" $XDG_RUNTIME_DIR; tty'
seen="$runtime"$'\n'"700 $user:$user directory"$'\n'/dev/pts/

# As on a console: with a password, in a conversation.
said() { grep -q "$1" "$work/terminal"; }
mkfifo "$work/keys"
socat -t 5 - EXEC:login,pty,stderr,setsid,ctty,echo=0 <"$work/keys" >"$work/terminal" 2>&1 &
terminal=$!
exec 7>"$work/keys"
wait_for 30 said "login: "
echo "$user" >&7
wait_for 30 said "Password: "
is "before the password nothing is given" "$(ranges)$(left)" ""
echo "correct horse" >&7
wait_for 30 said '\$ ' # what is typed before is thrown away
echo "{ $look; } >$work/answers/console 2>&1; mv $work/answers/console $work/answers/look" >&7
ok "a login with a password" wait_for 10 test -e "$work/answers/look" || note "$(cat "$work/terminal")"
like "has a runtime directory" "$(cat "$work/answers/look")" "^${seen}[0-9]+$"
given "and sub-ids"
echo exit >&7
exec 7>&-
wait "$terminal" || true
clean_soon "logout leaves nothing"

by_getty() { socat -t 5 - "EXEC:login -f $user,pty,stderr,setsid,ctty,echo=0"; }
open_session tty by_getty
open_session other by_getty
like "one that getty passed on" "$(in_session tty "$look")" "^${seen}[0-9]+$"
# The line goes dead.
login=$(pgrep -P "$(pgrep -xP "${session_of[tty]}" socat)")
kill -KILL "$(pgrep -xP "${session_of[tty]}" socat)"
close_session tty
ok "a terminal that goes away ends its login" wait_for 30 gone "/proc/$login"
like "the other one keeps the directory" "$(in_session other "$look")" "^${seen}[0-9]+$"
echo exit >&"${session_fd[other]}"
close_session other
clean_soon "the last logout leaves nothing"
done_testing
