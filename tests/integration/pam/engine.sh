#!/bin/bash
# engine=: an engine that starts with the first session and stops with the last. The engine is a
# script in the place of rootless-setup, that tells what it was given.
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

program=$(grep -ao '/[^:[:cntrl:]]*/rootless-setup' "$module" | head -n 1)
folder=${program%/*}
# Where nothing is installed the folder is made, and removed at the end, unless another test has it by
# then: its mount would go with it.
above=$folder missing=()
while [ ! -d "${above:-/}" ]; do
    missing+=("$above")
    above=${above%/*}
done
mkdir -p "$folder"
exec 8<"$folder"
flock -s 8
mount -t tmpfs -o mode=755 rltest-bin "$folder"
remove_folders() {
    umount -l "$folder"
    if flock -xn 8; then rmdir "${missing[@]}"; fi
}
at_end remove_folders
cat >"$program" <<'END'
#!/bin/sh
[ ! -d "$HOME" ] || exec >>"$HOME/engine" 2>&1
echo "start $*"
env | grep -v '^\(PWD\|_\|SHLVL\|OLDPWD\)=' | sort | tr '\n' ' ' | sed 's/^/env /; s/ $//'; echo
echo "ids $(id -u) $(id -g) $(id -G | tr ' ' ,) umask $(umask) pwd $(pwd)"
ls /proc/$$/fd >"$HOME/fds" # 10 and above are the shell's own
echo "fds $(grep -vc '^\([012]\|1[0-9]\)$' "$HOME/fds")"
echo "signals $(grep -E '^Sig(Blk|Ign):' /proc/$$/status | tr -d '\t' | tr '\n' ' ')"
echo "keys $(keyctl print "$(keyctl search @s user rltest-key 2>/dev/null)" 2>/dev/null) $(keyctl search @s keyring "_uid.$(id -u)" >/dev/null 2>&1 && echo own)"
echo "session $(ps -o sid= -p $$ | tr -d ' ') of $$"
trap 'echo "stopping $(test -d "$XDG_RUNTIME_DIR" && echo with its directory)"; sleep 1; echo stopped; exit 0' TERM
while :; do sleep 0.1; done
END
chmod 755 "$program"

make_user alice
groupadd rltest-more
usermod -aG rltest-more "$user"
out_file=$home/engine
said() {
    grep -c "^$1" "$out_file" 2>/dev/null || true
}
gone() {
    [ ! -e "/run/user/$uid" ] && [ ! -e "/run/rootless-toolkit/pam/$uid" ]
}

# As where root has a key in the session keyring of his login.
keyed=$work/keyed
cat >"$keyed" <<END
#!/bin/sh
exec keyctl session - sh -c 'keyctl add user rltest-key swordfish @s >/dev/null; exec $host_program "\$@"' sh "\$@"
END
chmod 755 "$keyed"
command -v keyctl >/dev/null || keyed=$host_program

none_runs() {
    ! pgrep -u "$uid" -f 'launch docker'
}

service engine=docker
before=$(date +%s%N)
host_program=$keyed start_host "$user" open env
note "the session opened after $((($(date +%s%N) - before) / 1000000)) ms"
wait_for 20 grep -q '^session' "$out_file"
like "the engine is started by name" "$(cat "$out_file")" "start launch docker"
is "in a clean environment" "$(sed -n 's/^env //p' "$out_file" | sed "s|PATH=${program%/*}:|PATH=|")" \
    "HOME=$home LOGNAME=$user PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin SHELL=/bin/sh USER=$user XDG_RUNTIME_DIR=/run/user/$uid"
is "as the user, with his groups" "$(grep '^ids' "$out_file")" \
    "ids $uid $gid $(id -G "$user" | tr ' ' ,) umask 0022 pwd $home"
is "with no file of the login's" "$(grep '^fds' "$out_file")" "fds 0"
is "with no signal blocked or ignored" "$(grep '^signals' "$out_file")" \
    "signals SigBlk:0000000000000000 SigIgn:0000000000000000 "
if command -v keyctl >/dev/null; then
    is "with no key of the login's, but his own" "$(grep '^keys' "$out_file")" "keys  own"
else
    skip "with no key of the login's, but his own" "no keyctl"
fi
like "in a session of its own" "$(grep '^session' "$out_file")" "session ([0-9]+) of \\1|session [0-9]+ of [0-9]+"
like "DOCKER_HOST is set before its socket is there" "$(cat "$work/.held")" "DOCKER_HOST=unix:///run/user/$uid/docker.sock"
run host "$user" open close
is "the second session starts no other" "$(said start)" 1
is "and stops none" "$(said stopping)" 0
before=$(date +%s%N)
let_go
took=$((($(date +%s%N) - before) / 1000000))
note "the logout took $took ms"
wait_for 20 grep -q '^stopped' "$out_file"
is "the last logout stops it, while its directory is there" "$(grep '^stopping' "$out_file")" "stopping with its directory"
ok "then the directory and the state go" wait_for 20 gone

# ---- back before it has stopped ----

rm "$out_file"
start_host "$user" open
wait_for 20 grep -q '^session' "$out_file"
let_go
start_host "$user" open
wait_for 20 grep -q '^stopped' "$out_file"
started_again() {
    [ "$(said start)" = 2 ]
}
ok "who comes back while it stops gets it started anew" wait_for 20 started_again
ok "and keeps his directory" test -d "/run/user/$uid"
let_go
ok "which goes in the end" wait_for 20 gone

# ---- the same while the directory that knows him does not answer ----

rm "$out_file"
start_host "$user" open
wait_for 20 grep -q '^session' "$out_file"
cp -p /etc/passwd "$work/passwd"
grep -v "^$user:" "$work/passwd" >/etc/passwd
let_go
cp -p "$work/passwd" /etc/passwd
start_host "$user" open
ok "a logout of whom nobody knows any more stops it as well" wait_for 20 grep -q '^stopped' "$out_file"
ok "and starts it anew for who has come back" wait_for 20 started_again
told_twice() {
    [ "$(said ids)" = 2 ]
}
wait_for 20 told_twice
is "as the user that he was" "$(grep '^ids' "$out_file" | uniq -c | tr -s ' ')" \
    " 2 ids $uid $gid $(id -G "$user" | tr ' ' ,) umask 0022 pwd $home"
let_go
ok "which goes in the end" wait_for 20 gone

# ---- without it ----

rm -f "$out_file"
service engine=docker linger
run host "$user" open close
wait_for 20 grep -q '^session' "$out_file"
run host "$user" open close
is "with linger it goes on" "$(said stopping)$(said start)" 01
service engine=docker
run host "$user" open close
ok "until the option is gone" wait_for 20 gone

mv "$program" "$program.away"
forget_log
run host "$user" open close
is "an engine that cannot be started is no reason to refuse" "$rc" 0
like "but logged" "$(logged)" "cannot start docker with $program: No such file"
clean "and nothing is left"
mv "$program.away" "$program"

# ---- nowhere to write it down ----

# The directory is somebody else's work: it is there already.
install -d -m 700 -o "$uid" -g "$gid" "/run/user/$uid"
head -c 100m /dev/zero >/run/filler 2>/dev/null || true
rm -f "$out_file"
forget_log
run host "$user" open exit
is "a full /run is no reason to refuse" "$rc" 0
like "but logged" "$(logged)" "not counted: cannot write"
ok "an engine that nobody would stop is not started" wait_for 20 none_runs
rm /run/filler
rmdir "/run/user/$uid"

make_user homeless
rm -rf "$home"
run host "$user" open exit
ok "without a home it starts as well" wait_for 20 pgrep -u "$uid" -f 'launch docker'
run host "$user" open close
ok "and is stopped by the session after a crash" wait_for 20 gone
done_testing
