#!/bin/bash
# What all of it is for: somebody who never was here logs in by ssh, on a machine where nothing is configured
# but the module, and runs containers at once, with the engines of Debian's packages.
# shellcheck disable=SC2016,SC2119 # for shells inside; no option is an option
set -eu
# shellcheck source-path=SCRIPTDIR source=logins.sh
. "$(dirname "$0")/logins.sh"
# shellcheck source=../engines/common.sh
. "$(dirname "$0")/../engines/common.sh"

# The programs are installed where everybody finds them, and where the module looks for them.
use_programs
mount --bind "$bin" /usr/local/bin
bindir=$(dirname "$(grep -ao '/[^:[:cntrl:]]*/rootless-setup' "$module" | head -n 1)")
if [ ! -d "$bindir" ]; then
    mkdir -p "$bindir"
    at_end sh -c "umount -l '$bindir'; rmdir -p '$bindir'"
fi
mount --bind "$bin" "$bindir"
mount --make-rshared /
make_rootfs "$work/rootfs" page
make_archive "$work/rootfs" image:latest "$work/image.tar"
use_module
start_sshd
launcher=/usr/share/docker.io/contrib/dockerd-rootless.sh
serve='httpd -f -p 80 -h /www'
answers() { # NAME ADDRESS:PORT
    ok "$1" wait_for 30 gives "$2" page
    [ "$rc" -eq 0 ] || note "$(get "$2")"
}

make_login alice
ok "a fresh user: rootless-setup check is ready" ssh_in rootless-setup check
note "$(grep -vE '^(ok|skipped) ' <<<"$out")"
is "rootlesskit starts at once" "$(ssh_in rootlesskit --net=gateway --disable-host-loopback --copy-up=/etc id -u)" 0

if [ -x "$launcher" ]; then
    make_login docker
    open_session docker ssh_in bash
    # Debian's dockerd is in a folder that users' PATH has not.
    in_session docker "PATH=\$PATH:/usr/sbin:/sbin DOCKERD_ROOTLESS_ROOTLESSKIT_NET=gateway \
        DOCKERD_ROOTLESS_ROOTLESSKIT_MTU=65520 $launcher & echo \$! >~/pid" >/dev/null
    up() { ssh_in docker version; }
    ok "Docker: another login finds the engine of the first by itself" wait_for 30 up || true
    [ "$rc" -eq 0 ] || note "$(tail -n 20 "$work/out-docker")"
    ok "an image is loaded" ssh_in "docker load -q -i $work/image.tar"
    ok "a container with a published port" ssh_in "docker run -d --name web -p 8080:80 image $serve"
    answers "answers" 127.0.0.1:8080
    is "it runs in the user's sub-ids" "$(ssh_in 'docker exec web sh -c "id -u; cat /proc/self/uid_map"' | xargs)" \
        "0 0 $uid 1 1 $(ranges | sed -n 's/uid //p')"
    ssh_in docker rm -f web >/dev/null
    in_session docker 'kill $(cat ~/pid); wait' >/dev/null
    close_session docker
    clean_soon "after the last logout nothing is left of it"

    # One word in the module's line, and not even that has to be done.
    use_module engine=docker
    make_login engine
    open_session engine ssh_in bash
    up() { in_session engine 'docker version >/dev/null 2>&1 && echo up' | grep -q up; }
    ok "engine=docker: it comes up with the login" wait_for 30 up
    [ "$rc" -eq 0 ] || note "$(tail -n 20 "$home/.local/state/rootless-toolkit/engine-docker.log")"
    run in_session engine "docker load -q -i $work/image.tar; docker run -d --name web -p 8082:80 image $serve"
    answers "a container of its first session answers" 127.0.0.1:8082
    close_session engine
    ok "it stops with the last logout" wait_for 60 gone "$runtime"
    clean_soon "nothing is left of it"
    use_module
else
    skip "Docker" "no docker.io"
fi

if command -v podman >/dev/null; then
    make_login podman
    # Podman's crun refuses to start beside cgroup v1; runc does not.
    if [ "$(stat -fc %T /sys/fs/cgroup)" != cgroup2fs ]; then
        printf '[engine]\nruntime = "runc"\n' >/etc/containers/containers.conf
    fi
    open_session podman ssh_in bash
    run in_session podman "podman load -q -i $work/image.tar"
    like "Podman: an image is loaded, with no engine to start" "$out" "Loaded image.*image"
    run in_session podman "podman run -d --name web -p 8081:80 image $serve"
    like "a container with a published port" "$out" $'(^|\n)[0-9a-f]{64}$'
    answers "answers" 127.0.0.1:8081
    is "it runs in the user's sub-ids" "$(ssh_in 'podman exec web sh -c "id -u; cat /proc/self/uid_map"' | xargs)" \
        "0 0 $uid 1 1 $(ranges | sed -n 's/uid //p')"
    is "another login sees it" "$(ssh_in 'podman ps --format "{{.Names}}"')" web
    run in_session podman 'podman rm -f -t 0 web'
    close_session podman
    clean_soon "after the last logout nothing is left of it"
else
    skip "Podman" "no podman"
fi
done_testing
