#!/bin/bash
# Thousands of random requests to the distribution's newuidmap and newgidmap and to ours, side by
# side; what may differ is in docs/uidmap-differences.md. Further arguments: the built parity.
# SEED=N CASES=N for other or more requests; PEER_NEWUIDMAP=, PEER_NEWGIDMAP= and PEER_VERSION= for
# another build of shadow's.
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"
parity=$3
peer_uid=${PEER_NEWUIDMAP:-/usr/bin/newuidmap} peer_gid=${PEER_NEWGIDMAP:-/usr/bin/newgidmap}

if [ ! -u "$peer_uid" ] || [ ! -u "$peer_gid" ]; then
    skip_all "no set-user-ID $peer_uid to compare with (package uidmap)"
fi
status=0
"$parity" "$newuidmap" "$newgidmap" "$peer_uid" "$peer_gid" || status=$?
rltest_planned=1
exit "$status"
