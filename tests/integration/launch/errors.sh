#!/bin/bash
# What is missing is said by launch in one line, with the check that knows more.
set -eu
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
use_programs
make_user errors
printf '#!/bin/sh\nexit 0\n' >"$bin/dockerd"
chmod 755 "$bin/dockerd"

says() { # NAME ERE [COMMAND...]: launch docker fails with one line that matches
    run "${@:3}"
    is "$1" "$rc" 1
    like "$1: says so in one line" "$err" "^rootless-setup: [^"$'\n'"]*$2[^"$'\n'"]*$"
}
ok "nothing is missing at first" launch docker
says "as root" "runs as an ordinary user" rootless-setup launch docker
says "no runtime directory" "XDG_RUNTIME_DIR is not set.*rootless-setup check runtime-dir" as_user env -u XDG_RUNTIME_DIR rootless-setup launch docker
says "one that does not exist" "$work/nowhere.*rootless-setup check runtime-dir" \
    as_user env XDG_RUNTIME_DIR="$work/nowhere" rootless-setup launch docker
mkdir -m 755 "$work/foreign"
says "another user's" "belongs to uid 0, not to $user.*rootless-setup check runtime-dir" \
    as_user env XDG_RUNTIME_DIR="$work/foreign" rootless-setup launch docker
says "no HOME" "HOME is not set" as_user env -u HOME rootless-setup launch docker
says "a HOME that does not exist" "HOME is $work/nowhere: No such file.*rootless-setup check data-dir" \
    as_user env HOME="$work/nowhere" rootless-setup launch docker
says "a HOME that is a file" "HOME is /etc/passwd, which is no directory" as_user env HOME=/etc/passwd rootless-setup launch docker

# Of a folder with all programs but one.
mkdir "$work/some"
# The system's own folders are searched too, so what is missing must be missing there.
without() { # PROGRAM
    rm -rf "$work/some"
    mkdir "$work/some"
    cp -a "$bin/." "$work/some/"
    setcap cap_setuid+ep "$work/some/newuidmap"
    setcap cap_setgid+ep "$work/some/newgidmap"
    rm -f "$work/some/$1"
}
some() { as_user env PATH="$work/some" "$work/some/rootless-setup" launch "$@"; }
for program in newuidmap newgidmap; do
    without $program
    says "no $program" "$program is missing: .*rootless-setup check $program says what to install" some docker
done
without dockerd
says "no daemon" "Docker is missing: there is no nosuchd in .PATH; install Docker.*DOCKERD" as_user env DOCKERD=nosuchd \
    PATH="$work/some" "$work/some/rootless-setup" launch docker
says "a daemon by its path" "Docker cannot be run: /nowhere/dockerd: No such file" as_user env DOCKERD=/nowhere/dockerd \
    "$work/some/rootless-setup" launch docker
without rootlesskit
if [ -x /usr/bin/rootlesskit ]; then
    says "only another rootlesskit" "/usr/bin/rootlesskit is a rootlesskit without --net=auto" \
        as_user env PATH="$work/some:/usr/bin" "$work/some/rootless-setup" launch docker
    run as_user env PATH="$work/some:/usr/bin" DOCKERD="$bin/dockerd" DOCKERD_ROOTLESS_ROOTLESSKIT_NET=slirp4netns \
        "$work/some/rootless-setup" launch --dry-run docker
    like "which is taken for a network that it has" "$out" "/usr/bin/rootlesskit .*--net=slirp4netns"
else
    skip "another rootlesskit" "there is none in /usr/bin"
fi
says "no rootlesskit" "rootlesskit is neither beside this program" as_user env PATH="$work/some" DOCKERD="$bin/dockerd" \
    "$work/some/rootless-setup" launch docker
says "a ROOTLESSKIT that is none" "rootlesskit, which ROOTLESSKIT names, cannot be run: /nowhere" \
    as_user env ROOTLESSKIT=/nowhere rootless-setup launch docker
without rootlesskit
mkdir -p "$work/libexec"
install -m 755 "$bin/rootlesskit" "$work/libexec/"
run as_user env PATH="$work/some:/usr/bin" DOCKERD="$bin/dockerd" "$work/some/rootless-setup" launch --dry-run docker
like "the one of libexec goes before \$PATH" "$out" "libexec/rootlesskit "

# Blanks in paths are no end of a word.
without none
mv "$work/some" "$work/my tools"
mkdir -m 700 "$work/my home" "$work/my run"
chown "$user" "$work/my home" "$work/my run"
# shellcheck disable=SC2016 # for the script
printf '#!/bin/sh\necho "$HOME, $ROOTLESSKIT_STATE_DIR, $1"\n' >"$work/my tools/dockerd"
run as_user env PATH=/usr/bin:/bin HOME="$work/my home" XDG_RUNTIME_DIR="$work/my run" \
    "$work/my tools/rootless-setup" launch docker -- 'an argument'
is "folders with blanks in their names" "$out" "$work/my home, $work/my run/dockerd-rootless, an argument"
[ "$rc" -eq 0 ] || note "$err"

# The inside's own name, typed by a person.
run as_user rootless-setup launch-inside docker true
is "launch-inside is for nobody outside" "$rc" 1
run rootless-setup launch-inside docker true
is "least of all root" "$rc" 1
like "it says what to use" "$err" "use rootless-setup launch"
usage() { # NAME SAYS ARG...
    run launch "${@:3}"
    is "$1: a usage error" "$rc" 2
    like "$1: that says so" "$err" "^rootless-setup: [^"$'\n'"]*$2[^"$'\n'"]*$"
}
usage "no engine" "which engine"
usage "an unknown one" 'unknown engine "rkt", it must be one of: docker'  rkt
usage "a word of the setup tool's" "did you mean .rootless-setup install" docker install
usage "an option of the daemon's in the wrong place" "unknown option --experimental" docker --experimental
done_testing
