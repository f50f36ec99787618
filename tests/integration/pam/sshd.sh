#!/bin/bash
# Logging in by ssh, to Debian's sshd with its own PAM stack: from a user who never was here to the end of
# his last session, however it ends.
# shellcheck disable=SC2016,SC2119 # for shells inside; no option is an option
set -eu
# shellcheck source-path=SCRIPTDIR source=logins.sh
. "$(dirname "$0")/logins.sh"

use_module
start_sshd "AcceptEnv XDG_*"
make_login alice
look='echo $XDG_RUNTIME_DIR; stat -c "%a %U:%G %F" $XDG_RUNTIME_DIR; id -un'
seen="$runtime"$'\n'"700 $user:$user directory"$'\n'"$user"

is "a fresh user has no sub-ids" "$(ranges)" ""
ok "she logs in" ssh_in "$look"
is "her session has a runtime directory of her own" "$out" "$seen"
is "without a word on her terminal" "$err" ""
given "she has sub-ids, the same range of both kinds"
clean_soon "after logout nothing is left"
first=$(ranges)
ok "she logs in again" ssh_in "$look"
is "all is as before" "$out" "$seen"
is "she keeps the ids she was given" "$(ranges)" "$first"
ok "with a terminal" ssh_in -tt "$look"
is "the same" "$(tr -d '\r' <<<"$out")" "$seen"
run ssh_in </dev/null -T
is "without a command" "$rc" 0
run sftp -F "$work/ssh_config" -b - -o User="$user" machine <<<"ls -l $(dirname "$runtime")"
like "with sftp" "$out" "drwx------ .* $user .*$runtime"
clean_soon "nothing is left"

# What a client sends is not believed.
run env XDG_RUNTIME_DIR=/tmp XDG_SEAT=sent ssh -F "$work/ssh_config" -o "SendEnv XDG_*" -l "$user" machine "$look; echo \$XDG_SEAT"
is "a client cannot choose the directory" "$out" "$seen"$'\n'sent

# More than one.
open_session one ssh_in bash
open_session two ssh_in bash
is "two sessions share the directory" "$(in_session two "$look")" "$seen"
in_session one 'touch $XDG_RUNTIME_DIR/file' >/dev/null
close_session one
is "the first to end ends well" "$rc" 0
is "the other keeps it" "$(in_session two "ls $runtime")" file
in_session two 'mkdir -p $XDG_RUNTIME_DIR/a/b/c; ln -s / $XDG_RUNTIME_DIR/a/root; mkfifo $XDG_RUNTIME_DIR/pipe' >/dev/null
close_session two
is "the last ends well" "$rc" 0
clean_soon "with it the directory goes, whatever was in it"
ok "what a link in it led to is still there" test -e /etc/passwd

# One connection, many sessions: sshd opens one session of PAM's for all.
mkdir "$work/control"
shared() { ssh -F "$work/ssh_config" -o "ControlPath=$work/control/%r" -l "$user" machine "$@"; }
open_session master ssh -F "$work/ssh_config" -o ControlMaster=yes -o "ControlPath=$work/control/%r" -l "$user" machine bash
open_session slave shared bash
is "sessions of one connection have the same" "$(in_session slave "$look")" "$seen"
close_session slave
is "they come and go" "$(shared "$look")" "$seen"
close_session master
clean_soon "with the connection the directory goes"

# Ends that nobody wanted.
open_session lost ssh_in bash
client=$(pgrep -f "^ssh -F $work/ssh_config -l $user machine bash")
kill -KILL "$client"
close_session lost
clean_soon "a client that is killed"
open_session lost ssh_in bash
kill -KILL "$(pgrep -f "^sshd: $user \[priv\]")"
close_session lost
ok "sshd's session is killed: the directory stays, for nobody closed it" test -d "$runtime"
open_session next ssh_in bash
is "who comes next finds it" "$(in_session next "$look")" "$seen"
close_session next
clean_soon "and takes it away in the end"
open_session lost ssh_in bash
kill -KILL "$(pgrep -f "^sshd: $user \[priv\]")"
close_session lost
make_login bob
ok "another user's login" ssh_in true
ok "is not what removes it" test -d "/run/user/$(id -u rltest-alice)"
use_login alice
ok "her own is" ssh_in true
clean_soon "so that nothing is left"
is "she still has the ids she was given" "$(ranges)" "$first"

# Who is not served.
user=root
ok "root logs in" ssh_in 'test -z "$XDG_RUNTIME_DIR" && test ! -e /run/user/0'
useradd --system --shell /bin/sh --home-dir / rltest-system
user=rltest-system
ok "a system user too" ssh_in 'test -z "$XDG_RUNTIME_DIR" && test ! -e /run/user/$(id -u)'
is "neither has sub-ids" "$(ranges root; ranges rltest-system)" ""

# With pam_systemd in the stack, where no systemd runs.
use_login alice
if compgen -G "/lib/*/security/pam_systemd.so" >/dev/null; then
    before="session optional pam_systemd.so" use_module
    is "behind pam_systemd" "$(ssh_in "$look")" "$seen"
    before='' after="session optional pam_systemd.so" use_module
    is "in front of it" "$(ssh_in "$look")" "$seen"
    clean_soon "nothing is left"
else
    skip "beside pam_systemd" "it is not installed"
fi
done_testing
