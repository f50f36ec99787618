#!/bin/bash
# What bash offers behind the programs' names once their completion scripts are read, and the ways to
# write an option.
set -eu
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

setup=$1 kit=$2
# shellcheck source=/dev/null
. <("$setup" --completion=bash)
# shellcheck source=/dev/null
. <("$kit" --completion=bash)

# offered WORDS...: what is offered for the last one, sorted, in one line.
offered() {
    local function COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    function=$(complete -p "$1")
    function=${function##*-F }
    "${function% *}"
    printf '%s\n' "${COMPREPLY[@]-}" | sort | paste -sd ' '
}

is "a command" "$(offered rootless-setup exp)" "explain"
like "all commands" " $(offered rootless-setup '') " " check .* launch .* subid .* uninstall "
unlike "... but none that is no person's" "$(offered rootless-setup '')" "inside"
is "a command's command" "$(offered rootless-setup subid re)" "repair"
is "its options" "$(offered rootless-setup subid add --al)" "--all-users"
like "... those of every program too" "$(offered rootless-setup check --h)" "^--help$"
like "the values of an option of a command" "$(offered rootless-setup launch --net = '')" "gateway .*pasta"
is "an option of a program without commands" "$(offered rootlesskit --publish-w)" "--publish-when-listening"
is "... a value begun" "$(offered rootlesskit --net slirp)" "slirp4netns"
fails "a subcommand registers no program of its name" complete -p launch

usage() { "$kit" "$@" true 2>&1 | head -n 1; }
for way in "-p 80/xx" "-p80/xx" "-p=80/xx" "--publish 80/xx" "--publish=80/xx" "-publish=80/xx"; do
    read -ra words <<<"$way"
    like "a port as $way is read as one" "$(usage --net=none --port-driver=builtin "${words[@]}")" "80/xx"
done
like "no abbreviation" "$(usage --publ=80/tcp)" "unknown option --publ=80/tcp"

done_testing
