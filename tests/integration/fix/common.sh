# shellcheck shell=bash
# Sourced by the tests of `rootless-setup fix` and `undo`, on top of check's: the machine's tools that
# they call are stand-ins that log, and what a tree holds can be compared.
# shellcheck source=../check/common.sh
. "$(dirname "$0")/../check/common.sh"

log=$work/log
tools=$work/tools
mkdir "$tools"
: >"$log"
# tool NAME [SHELL TEXT]: a stand-in that logs its words, then does that
tool() {
    printf '#!/bin/sh\necho "%s $*" >>%s\n%s\n' "$1" "$log" "${2:-}" >"$tools/$1"
    chmod 755 "$tools/$1"
}
for name in modprobe systemctl loginctl udevadm apparmor_parser; do
    tool $name
done
PATH=$tools:$PATH

# Everything a tree holds, in one text: names, modes, owners and contents.
tree() { # DIR
    (cd "$1" && find . -path ./var/lib/rootless-toolkit -prune -o -printf '%p %y %m %U:%G %l\n' -type f -exec sha256sum {} + | sort)
}
fix() { "$setup" fix "$@"; }
undo() { "$setup" undo "$@"; }
