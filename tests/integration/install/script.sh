#!/bin/bash
# install where no systemd runs, and who may install for whom.
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"
command -v dockerd >/dev/null || skip_all "no dockerd"
command -v docker >/dev/null || skip_all "no docker"
[ ! -d /run/systemd/system ] || mount -t tmpfs -o mode=755 tmpfs /run/systemd

make_odd_user script
script=$home/.local/share/rootless-toolkit/start-docker
docker() { as_user docker "$@"; }
context() { docker context ls --format '{{if .Current}}{{.Name}}{{end}}' | xargs; }
before=$(tree)

run setup install docker --dry-run
like "--dry-run" "$rc:$out" "^0:write .*start-docker \(mode 0755\).*Nothing was done"
is "... writes nothing" "$(tree)" "$before"
docker context create other --docker host=unix:///elsewhere.sock >/dev/null 2>&1
docker context use other >/dev/null 2>&1
docker_before=$(tree)
run setup install docker -- --label "a b=%\$c'd"
is "install" "$rc:$err" "0:"
like "it says how to start it, also in the background" "$out" "No systemd runs here.*setsid -f"
is "its mode and owner" "$(stat -c '%a %U' "$script")" "755 $user"
ok "a shell reads it" sh -n "$script"
is "the context is in use" "$(context)" rootless
installed=$(tree)
run setup install docker -- --label "a b=%\$c'd"
like "once more" "$rc:$out" "^0:.*is as it should be.*nothing to do"
is "... changes nothing" "$(tree)" "$installed"
run setup status docker
like "status before it is started" "$rc:$out" "^1:Docker is not running.*started by hand: .*it is not started"

# As install says to.
command=$(sed -n 's/^ *\(setsid -f .*\)/\1/p' <<<"$(setup install docker -- --label "a b=%\$c'd")")
env_user=(XDG_RUNTIME_DIR="$runtime" PATH=/usr/bin:/bin)
run as_user sh -c "$command"
is "the command in the background" "$rc" 0
env_user=()
answers() { docker version; }
ok "the engine answers" wait_for 30 answers
[ "$rc" -eq 0 ] || note "$(cat "$script.log")"
is "its argument came through whole" "$(docker info --format '{{index .Labels 0}}')" "a b=%\$c'd"
run setup status docker
like "status" "$rc:$out" "^0:Docker is running.*started by hand: .*, process [0-9]+.*answers"

run setup uninstall docker --purge
like "--purge without --yes, and nobody to ask" "$rc:$err" "^1:.*add --yes"
ok "... leaves all as it is" docker version
run setup uninstall docker --purge --yes
like "uninstall ends what was started by hand" "$rc:$out" "^0:end process [0-9]+"
is "... all of it" "$(pgrep -u "$uid" -c .)" 0
rm -f "$script.log"
rmdir "${script%/*}" 2>/dev/null || true
is "the context of before is in use again" "$(context)" other
as_user rmdir .local/share .local 2>/dev/null || true
rm -r "$home/.config" # dockerd's own key
is "the home is as it was" "$(tree)" "$docker_before"

# A link where the images are, to another disk.
mkdir "$work/disk"
chown "$user" "$work/disk"
as_user mkdir -p .local/share "$work/disk/docker/deep"
as_user ln -s "$work/disk/docker" .local/share/docker
chown 3000007 "$work/disk/docker/deep"
run setup uninstall docker --purge --yes
is "--purge follows the link" "$rc:$(ls -A "$work/disk"):$(ls -A "$home/.local/share")" "0::"
as_user ln -s "$home" .local/share/docker
run setup uninstall docker --purge --yes
like "... but not to the user's own files" "$rc:$err" "^1:.*holds your own files"
run setup uninstall docker
like "a link there keeps nobody from uninstalling" "$rc:$out:$err" "^0:.*nothing to do.*:$"
ok "the user's own files stay" test -e "$home/.profile" -o -e "$home/.bashrc"
rm "$home/.local/share/docker"

# Data that Docker was told to have elsewhere: by daemon.json, by an argument.
elsewhere() { # DIR: with a file of hers and one of her sub-ids
    install -d -o "$user" "$1"
    as_user mkdir "$1/image"
    chown "$(awk -F: -v user="$user" '$1 == user { print $2 + 7; exit }' /etc/subuid)" "$1/image"
}
elsewhere "$work/disk/da ta"
as_user mkdir -p .config/docker .local/share/docker
printf '{"data-root": "%s"}\n' "$work/disk/da ta" | as_user tee .config/docker/daemon.json >/dev/null
run setup uninstall docker
like "uninstall tells of a data-root" "$rc:$out" "^0:.*$work/disk/da ta stays.*share/docker stays"
mkdir "$work/disk/da ta/image/roots"
run setup uninstall docker --purge --yes
like "--purge: somebody else's files in it are refused" "$rc:$out:$err" "^1::.*$work/disk/da ta is not below your home, and .*image/roots belongs to uid 0: remove the data by hand"
ok "... and nothing is done" test -d "$work/disk/da ta/image/roots" -a -d "$home/.local/share/docker"
rmdir "$work/disk/da ta/image/roots"
run setup uninstall docker --purge --yes
is "--purge: her own are not, with those of the usual place" "$rc:$err:$(ls -A "$work/disk"):$(ls -A "$home/.local/share")" "0:::"
elsewhere "$work/disk/two"
chown root "$work/disk"
as_user sed -i 's/da ta/two/' .config/docker/daemon.json
run setup uninstall docker --purge --yes
like "... what root made for her stays, empty" "$rc:$out" "^0:.*$work/disk/two itself stays, empty"
is "... and is" "$(ls -A "$work/disk/two")" ""
chown "$user" "$work/disk"
rm -r "$home/.config/docker"
mkdir "$home/o \$\"'%d"
elsewhere "$home/o \$\"'%d"
run setup install docker -- --debug --data-root "$home/o \$\"'%d"
run setup uninstall docker
like "an argument is seen" "$rc:$out" "^0:end process|^0:remove .*start-docker.*o \\$\"'%d stays"
run setup install docker -- --debug "--data-root=$home/o \$\"'%d"
run setup uninstall docker --purge --yes
like "... and what it names removed" "$rc:$out" "^0:.*rm -rf .*o "
ok "... indeed" test ! -e "$home/o \$\"'%d"

# The question, on a terminal.
answer() { # WORD
    as_user python3 -IS -c 'import os, pty, sys
pid, fd = pty.fork()
if pid == 0:
    os.execvp("rootless-setup", ["rootless-setup", "uninstall", "docker", "--purge"])
said = b""
while b"Type yes" not in said:
    said += os.read(fd, 1000)
os.write(fd, sys.argv[1].encode() + b"\n")
try:
    while part := os.read(fd, 1000):
        said += part
except OSError:
    pass
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), said.decode())' "$1"
}
as_user mkdir .local/share/docker
run answer no
like "--purge asks: no" "$out" "^1 .*share/docker.*Type yes.*the images stay"
ok "... and they stay" test -d "$home/.local/share/docker"
run answer yes
like "--purge asks: yes" "$out" "^0 "
is "... and they go" "$(ls -A "$home/.local/share")" ""

# Root.
run rootless-setup install docker
like "root must name a user" "$rc:$err" "^2:.*--user USER"
run rootless-setup install docker --user root
like "... who is not root" "$rc:$err" "^2:.*is root"
run rootless-setup install docker --user rltest-nobody
like "... and exists" "$rc:$err" '^2:.*no user "rltest-nobody"'
export XDG_RUNTIME_DIR=$runtime
run rootless-setup install docker --user "$user"
is "root installs for a user" "$rc:$err" "0:"
is "... as that user" "$(find "$home" ! -user "$user")" ""
run rootless-setup uninstall docker --user "$user"
is "... and uninstalls" "$rc:$(ls -A "$home/.local/share")" "0:"
mkdir "$work/roots"
rm -rf "$home/.local"
ln -s "$work/roots" "$home/.local"
run rootless-setup install docker --user "$user" --no-context --force
like "a link of the user's does not lead root" "$rc:$err" "^1:.*Permission denied"
is "... anywhere" "$(ls -A "$work/roots")" ""
rm "$home/.local"
unset XDG_RUNTIME_DIR
run setup install docker --user rltest-other
like "a user may not install for others" "$rc:$err" "^2:.*no user|^2:.*only root"

refused() { # WHAT TEXT COMMAND...: a wrong command line
    local what=$1 text=$2
    shift 2
    run "$@"
    like "$what" "$rc:$out:$err" "^2::rootless-setup: .*$text"
}
refused "no engine" "install what" setup install
refused "an unknown engine" 'unknown engine "rkt"' setup install rkt
refused "uninstall: no engine" "uninstall what" setup uninstall
refused "status: two engines" "one engine at a time" setup status docker podman
refused "status: an unknown engine" 'unknown engine "rkt"' setup status rkt
# shellcheck disable=SC2016 # for the shell inside
run as_user sh -c 'unset HOME; exec rootless-setup install docker'
like "no HOME" "$rc:$err" "^1:.*HOME is not set"
env_user=(PATH="$bin:/nowhere")
run setup install docker --force
like "--force installs what is not ready" "$rc:$err" "^0:"
run setup uninstall docker
is "... and off" "$rc" 0
done_testing
