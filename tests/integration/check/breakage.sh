# shellcheck shell=bash
# Sourced by the tables of breakages, on top of common.sh: a ready machine is broken in one place, and
# check must name that place and no other, say why and what helps, and be right with that.
#
#   breakage NAME ID STATUS SAID REMEDY HOW
#
# One line of TAP. On a machine of its own (broken.sh; mounts, processes, network, /etc, /run) for
# which ID is better than STATUS, the shell text HOW breaks something. Then
#   - ID has STATUS, every other check is as good as before, except those that need it and those of
#     $also (ID...), and the exit status says the same;
#   - SAID stands in ID's cause or evidence, REMEDY in its remedies; both may be "";
#   - where check says that fix can mend it, fix does, and undo restores /etc byte for byte and the
#     breakage with it;
#   - the remedies, pasted as they are printed, mend it: into a shell of the user, whose sudo works, or
#     with $as_root of root.
# The last two are left out with $untried, which says why. HOW, and $machine before it, which makes a
# ready machine of another kind, may use what common.sh and broken.sh have, at_end for what outlives
# the machine's namespaces, and `cannot WHY`, which skips the row.
#
#   breakages_done      prints how many there were; then done_testing
breakages=0 fixed=0 pasted=0 advised=0

breakage() {
    # shellcheck disable=SC2154 # of lib.sh
    local case=$work/case answer status=0
    breakages=$((breakages + 1))
    mkdir -m 755 "$case"
    answer=$(RLTEST_INSIDE=$case also=${also:-} machine=${machine:-} untried=${untried:-} as_root=${as_root:-} \
        unshare --mount --propagation private --pid --fork --kill-child --mount-proc --net \
        bash "$SOURCE_ROOT/tests/integration/check/broken.sh" "${@:2}" 2>&1 </dev/null) || status=$?
    case $status in
        0) pass "$1" ;;
        77) skip "$1" "$answer" ;;
        *) fail "$1" "$answer" ;;
    esac
    if grep -qs fixed "$case/did"; then fixed=$((fixed + 1)); fi
    if grep -qs pasted "$case/did"; then pasted=$((pasted + 1)); else advised=$((advised + 1)); fi
    rm -rf --one-file-system "$case"
}

breakages_done() {
    note "$breakages breakages: in $pasted the remedy was pasted and healed, in $fixed fix did and undo took it back; $advised have advice, or were not pasted"
    done_testing
}
