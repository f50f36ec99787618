#!/bin/bash
# install, status and uninstall under a systemd user manager, with the real engines.
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"
command -v dockerd >/dev/null || skip_all "no dockerd"
command -v docker >/dev/null || skip_all "no docker"
can_manage || skip_all "no systemd with a user's D-Bus"

make_odd_user unit
use_systemd
before=$(tree)
unit=$home/.config/systemd/user/docker.service
socket=$runtime/docker.sock
docker() { as_user docker "$@"; }

run setup install docker
like "without a manager of the user's: refused, and what to do" "$rc:$err" "^1:.*not for this session.*log in as the user"
is "... and nothing is written" "$(tree)" "$before"

start_manager
env_user=(PATH="$bin:$work/$odd/tools:relative::/usr/sbin:/usr/bin:/sbin:/bin"
    DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS="--ipcns --debug")
mkdir "$work/$odd/tools"
before=$(tree)

run setup install --dry-run docker -- --data-root "$home/da ta\$HOME" --label "a b=%h\"\$c'd"
is "--dry-run" "$rc:$err" "0:"
for text in "write $unit" "run: systemctl --user daemon-reload" "run: systemctl --user start docker.service" \
    "run: systemctl --user enable docker.service" "context create rootless" "context use rootless" "Nothing was done"; do
    case $out in *"$text"*) pass "--dry-run says: $text" ;; *) fail "--dry-run says: $text" "$out" ;; esac
done
is "--dry-run does nothing" "$(tree)" "$before"
planned=$(sed -n 's/^  | //p' <<<"$out")

run setup install docker -- --data-root "$home/da ta\$HOME" --label "a b=%h\"\$c'd"
is "install" "$rc:$err" "0:"
[ "$rc" -eq 0 ] || note "$(grep -v 'level=info' "$work/manager.log")"
is "it wrote what --dry-run said" "$(cat "$unit")" "$planned"
is "mode and owner of the unit" "$(stat -c '%a %U' "$unit")" "644 $user"
like "what is left out of PATH is said" "$out" "relative, empty or not UTF-8"
if command -v systemd-analyze >/dev/null; then
    run as_user systemd-analyze --man=no --user verify "$unit"
    is "systemd has nothing to say against it" "$rc:$out$err" "0:"
fi
is "it is enabled" "$(systemctl is-enabled docker.service)" enabled
is "systemd took the path of PATH whole" \
    "$(tr '\0' '\n' <"/proc/$(systemctl show --property=MainPID --value docker.service)/environ" | grep ^PATH=)" \
    "PATH=$bin:$work/$odd/tools:/usr/sbin:/usr/bin:/sbin:/bin"
is "the engine answers in the context" "$(docker version --format '{{.Server.Version}}' | cut -d + -f 1)" \
    "$(dockerd --version | sed 's/Docker version \([0-9.]*\).*/\1/')"
is "its arguments came through whole" "$(docker info --format '{{.DockerRootDir}} {{index .Labels 0}}')" \
    "$home/da ta\$HOME a b=%h\"\$c'd"
like "its variable came through whole" "$(tr '\0' ' ' <"/proc/$(systemctl show --property=MainPID --value docker.service)/cmdline")" " --ipcns --debug "

installed=$(tree | grep -v "da ta")
run setup install docker -- --data-root "$home/da ta\$HOME" --label "a b=%h\"\$c'd"
like "once more: nothing to do" "$rc:$out" "^0:.*is as it should be.*nothing to do"
is "... and nothing changes" "$(tree | grep -v "da ta")" "$installed"
pid_before=$(systemctl show --property=MainPID --value docker.service)
run setup install docker
like "another command line: the unit is replaced" "$rc:$out" "^0:replace $(printf '%s' "$unit" | sed 's/[$"]/\\&/g').*runs as it was started.*systemctl --user restart docker.service"
is "... and the engine is left running" "$(systemctl show --property=MainPID --value docker.service)" "$pid_before"
systemctl restart docker.service
is "... until it is restarted" "$(docker info --format '{{.DockerRootDir}}')" "$home/.local/share/docker"

# status
run setup status docker
like "status of a running engine" "$rc:$out" "^0:Docker is running.*systemd unit: .*active \(running\), enabled.*answers, version.*network .*rootlesskit.*rootless \(unix://.*\), in use"
run setup status docker --json
printf '%s\n' "$out" >"$work/json"
field() { python3 -IS -c 'import json, sys
value = json.load(open(sys.argv[1]))["engines"][0]
for key in sys.argv[2].split("."): value = value[key]
print(json.dumps(value))' "$work/json" "$1"; }
is "--json: installed, running, answers" "$(field installed) $(field running) $(field socket.answers) $(field problems)" '"unit" true true [{"weight": "hint", "check": "linger", "what": "it ends with the user'"'"'s last logout, and does not start at boot", "remedy": "loginctl enable-linger rltest-unit"}]'
if python3 -c 'import jsonschema' 2>/dev/null; then
    ok "--json is as its schema says" python3 -c 'import json, jsonschema, sys
jsonschema.validate(json.load(open(sys.argv[1])), json.load(open(sys.argv[2])))' "$work/json" "$SOURCE_ROOT/docs/status-schema.json"
else
    skip "--json is as its schema says" "no python3-jsonschema"
fi
run setup status
like "status of all" "$rc:$out" "^0:docker +running.containerd +not installed.buildkit +not installed.podman +not installed.k3s +not installed$"
run env XDG_RUNTIME_DIR="$runtime" rootless-setup status docker --user "$user"
like "root asks for the user" "$rc:$out" "^0:Docker is running"
env_user+=(DOCKER_HOST=unix:///elsewhere.sock)
run setup status docker
like "DOCKER_HOST that leads elsewhere" "$rc:$out" "^0:.*talks to another engine: DOCKER_HOST=unix:///elsewhere.sock.*unset DOCKER_HOST"
unset 'env_user[-1]'
docker context use default >/dev/null 2>&1
run setup status docker
like "another context in use" "$rc:$out" "^0:.*docker talks to its context \"default\".*docker context use rootless"
docker context use rootless >/dev/null 2>&1
systemctl stop docker.service
run setup status docker
like "a stopped engine" "$rc:$out" "^1:Docker is not running.*docker.service is not started.*systemctl --user start docker.service"

# A start that fails. No journal is kept here: a stand-in says what dockerd would have.
cat >"$work/$odd/tools/journalctl" <<'END'
#!/bin/sh
echo "failed to register layer: ApplyLayer exit status 1 stdout:  stderr: lchown /var/spool/mail: invalid argument"
END
chmod 755 "$work/$odd/tools/journalctl"
mkdir -p "$home/.config/docker"
echo '{"no-such-key": 1}' >"$home/.config/docker/daemon.json"
chown -R "$user:" "$home/.config/docker"
run setup install docker
like "an engine that does not start: an error" "$rc:$err" "^1:.*Docker does not start"
like "... with the end of the log, what it means, and the check that tells" "$out" \
    "The last lines of docker.service:.*lchown.*Why: .*See: rootless-setup check subid"
run setup status docker
like "... and so does status" "$rc:$out" "^1:.*docker.service ended by itself.*\(check subid\)"
rm "$work/$odd/tools/journalctl"
rm -r "$home/.config/docker"
systemctl stop docker.service
systemctl reset-failed docker.service
echo 'rltest-unit:100000:0' >/etc/subuid
run setup status docker
like "what the host lacks is named with its check" "$rc:$out" "^1:.*subordinate ids: .*\(check subid\).*rootless-setup check subid"
run setup install docker
like "install on a host that is not ready: refused with the remedies" "$rc:$err" "^1:.*cannot run for rltest-unit"
like "... and what to type" "$out" "subid add rltest-unit"
printf 'rltest-unit:3000000:65536\n' | tee /etc/subuid >/etc/subgid

# Something else at the socket.
start_as_user socat "UNIX-LISTEN:$socket,fork" OPEN:/dev/null
other=$pid
wait_for 10 test -S "$socket"
run setup install docker
like "somebody else listens at the socket" "$rc:$err" "^1:.*process $other listens at"
kill "$other"
rm -f "$socket"

run setup install docker
is "install again" "$rc:$err" "0:"
docker info --format '{{.ID}}' >/dev/null

# Lingering, by a stand-in for logind.
if mkdir /var/lib/systemd 2>/dev/null; then at_end rmdir /var/lib/systemd; fi
mount -t tmpfs -o mode=755 tmpfs /var/lib/systemd
tool() { # NAME LINE: a program of that name
    printf '#!/bin/sh\n%s\n' "$2" >"$work/$odd/tools/$1"
    chmod 755 "$work/$odd/tools/$1"
}
tool loginctl 'echo "Could not enable linger: Access denied" >&2; exit 1'
run setup install docker --linger
like "--linger where a user may not" "$rc:$err" "^1:.*Access denied.*sudo rootless-setup fix --user rltest-unit linger"
run setup install docker --linger --dry-run
like "--linger --dry-run" "$rc:$out" "^0:run: loginctl enable-linger rltest-unit"
install -d -o "$user" /var/lib/systemd/linger
# shellcheck disable=SC2016 # for the tool
tool loginctl ': >"/var/lib/systemd/linger/$2"'
run setup install docker --linger
is "--linger" "$rc:$err:$(ls /var/lib/systemd/linger)" "0::rltest-unit"
run setup status docker --json
printf '%s\n' "$out" >"$work/json"
is "... is nothing to tell any more" "$(field lingers) $(field problems)" "true []"
umount /var/lib/systemd
rm "$work/$odd/tools/loginctl"

# uninstall
run setup uninstall --dry-run docker
like "uninstall --dry-run" "$rc:$out" "^0:.*stop docker.service.*disable docker.service.*remove .*context rm -f rootless.*Nothing was done"
ok "... does nothing" docker version
echo foreign | as_user tee "$home/.local/share/docker/mine" >/dev/null
chown 3000007:3000007 "$home/.local/share/docker/mine"
run setup uninstall docker
is "uninstall" "$rc:$err" "0:"
like "it says where the images are" "$out" "share/docker stays.*uninstall --purge"
is "no unit is left, no link to it" "$(find "$home/.config" -name 'systemd*' -o -name '*.service' 2>/dev/null)" ""
is "the context is gone" "$(docker context ls --format '{{.Name}}' | xargs)" default
is "nobody listens, nothing runs" "$(systemctl show --property=LoadState --value docker.service)$(pgrep -u "$uid" -c dockerd)" "not-found0"
run setup uninstall docker
like "uninstall once more" "$rc:$out" "^0:Docker is not installed: nothing to do"
ok "images stay" test -e "$home/.local/share/docker/mine"
run setup uninstall docker --purge
like "--purge asks, and without a terminal is refused" "$rc:$err" "^1:.*add --yes"
ok "... and removes nothing" test -e "$home/.local/share/docker/mine"
run setup uninstall docker --purge --dry-run
like "--purge --dry-run" "$rc:$out" "^0:.*run: rootlesskit rm -rf .*share/docker"
ok "... removes nothing" test -e "$home/.local/share/docker/mine"
run setup uninstall docker --purge --yes
is "--purge --yes" "$rc:$err" "0:"
ok "files of the user's sub-ids are gone too" test ! -e "$home/.local/share/docker"

# Units that are somebody's.
install -d -o "$user" "$home/.config" "$home/.config/systemd" "$home/.config/systemd/user"
printf '[Service]\nExecStart=/bin/sleep 1000\n' | as_user tee "$unit" >/dev/null
foreign=$(cat "$unit")
run setup uninstall docker
like "a unit of somebody else's is not uninstalled" "$rc:$err" "^1:.*is not of rootless-setup"
run setup install docker --no-start
like "install keeps it beside ours" "$rc:$out" "^0:.*is not of rootless-setup: it is kept beside ours.*rename .*docker.service.saved.*write"
unlike "... and --no-start does not start" "$out" "systemctl --user start"
is "... but enables" "$(systemctl is-enabled docker.service)" enabled
as_user sh -c "echo '# mine' >>'${unit//\'/\'\\\'\'}'"
run setup install docker --no-start
like "an edited unit is kept too" "$rc:$out" "^0:.*was edited since it was written: it is kept beside ours"
run setup uninstall docker
is "uninstall brings the first one back" "$rc:$(cat "$unit")" "0:$foreign"
like "... and leaves the edited one" "$(ls "$home/.config/systemd/user")" "docker.service.*docker.service.edited"
rm -r "$home/.config/systemd"

# Data that a drop-in has elsewhere.
run setup install docker --no-start -- --data-root /nowhere
as_user mkdir -p "$unit.d" .local/share/elsewhere
printf '[Service]\nExecStart=\nExecStart=/usr/bin/env dockerd \\\n --data-root "%s/.local/share/elsewhere"\n' "${home//%/%%}" | as_user tee "$unit.d/mine.conf" >/dev/null
run setup uninstall docker --purge --dry-run
like "--purge goes by the drop-in" "$rc:$out" "^0:.*rm -rf .*share/elsewhere"
run setup uninstall docker
like "... of which uninstall tells" "$rc:$out" "^0:.*docker.service.d stays.*share/elsewhere stays"
rm -r "$home/.config/systemd" "$home/.local/share/elsewhere"

# Other engines.
run setup install buildkit
like "an engine that is not there" "$rc:$out" "^1:failed .*buildkitd"
if command -v podman >/dev/null && [ -e /usr/lib/systemd/user/podman.socket ]; then
    run setup install podman
    like "Podman's own socket unit is switched on" "$rc:$out" "^0:.*/usr/lib/systemd/user/podman.socket.*start podman.socket.*enable podman.socket"
    is "... and Docker's client talks to it" \
        "$(docker -H "unix://$runtime/podman/podman.sock" version --format '{{(index .Server.Components 0).Name}}')" "Podman Engine"
    run setup install podman
    like "... once" "$rc:$out" "^0:.*nothing to do"
    run setup status podman
    like "... and status knows" "$rc:$out" "^0:Podman is running.*the distribution's unit: .*podman.socket"
    run setup uninstall podman
    like "... and off" "$rc:$(systemctl is-enabled podman.socket):$(systemctl is-active podman.socket)" "^0:disabled:inactive"
    run setup uninstall podman --purge --yes
    is "... its images by its own means" "$rc:$err:$(ls "$home/.local/share/containers" 2>/dev/null)" "0::"
else
    skip "Podman's own socket unit" "no podman with it"
fi
if command -v containerd >/dev/null; then
    run setup install containerd
    is "containerd" "$rc:$err" "0:"
    [ "$rc" -eq 0 ] || note "$out" "$(tail -n 20 "$work/manager.log")"
    run setup status containerd
    like "... runs" "$rc:$out" "^0:containerd is running.*containerd.sock: answers"
    run setup uninstall containerd --purge --yes
    is "... and is gone" "$rc:$err:$(ls "$home/.local/share")" "0::"
else
    skip "containerd" "no containerd"
fi
stop_manager
done_testing
