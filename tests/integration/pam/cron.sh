#!/bin/bash
# Jobs of Debian's cron: sessions too, beside logins of the same user.
# shellcheck disable=SC2016,SC2119 # for shells inside; no option is an option
set -eu
# shellcheck source-path=SCRIPTDIR source=logins.sh
. "$(dirname "$0")/logins.sh"

[ -x /usr/sbin/cron ] || skip_all "no cron"
use_module
start_sshd
make_login alice

# Jobs of @reboot run when cron starts, which is when a test wants them.
cron() { # LINE...: a crontab of the selected user
    rm -f /run/crond.reboot
    printf '%s\n' "$@" | crontab -u "$user" -
    (apart exec /usr/sbin/cron -f) &
    daemon=$!
}
end_cron() {
    kill "$daemon"
    wait "$daemon" || true
}
at_end eval 'kill $daemon'
job="{ echo \$XDG_RUNTIME_DIR; stat -c \"\\%a \\%U\" \$XDG_RUNTIME_DIR; } >$work/answers/new 2>&1; mv $work/answers/new $work/answers/job"
seen="$runtime"$'\n'"700 $user"

cron "@reboot $job"
ok "a job runs" wait_for 20 test -e "$work/answers/job" || note "$(cat "$work/syslog")"
is "it has a runtime directory" "$(cat "$work/answers/job")" "$seen"
given "the user has sub-ids"
clean_soon "after it nothing is left"
end_cron
rm "$work/answers/job"

# A login, and a job that is longer.
open_session login ssh_in bash
in_session login 'touch $XDG_RUNTIME_DIR/of-the-login' >/dev/null
cron "@reboot touch $work/answers/on; while test -e $work/answers/on; do sleep 0.05; done; ls \$XDG_RUNTIME_DIR >$work/answers/job"
ok "a job that stays" wait_for 20 test -e "$work/answers/on"
close_session login
is "logout, after it began, leaves it the directory" "$(ls "$runtime")" of-the-login
rm "$work/answers/on"
ok "it ends" wait_for 20 test -e "$work/answers/job"
is "it had it to the end" "$(cat "$work/answers/job")" of-the-login
clean_soon "with it the directory goes"
end_cron
rm "$work/answers/job"

# A service that is not to be served.
use_module skip_services=atd,cron
cron "@reboot $job"
ok "skip_services=atd,cron: a job runs" wait_for 20 test -e "$work/answers/job"
is "without a directory" "$(head -n 1 "$work/answers/job")" ""
is "a login has one" "$(ssh_in 'echo $XDG_RUNTIME_DIR')" "$runtime"
end_cron
clean_soon "nothing is left"
done_testing
