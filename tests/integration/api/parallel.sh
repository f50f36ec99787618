#!/bin/bash
# Many clients at once on one running rootlesskit: no port is lost, the list is always true, and the
# API answers all along.
set -eu
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../rootlesskit/common.sh
. "$(dirname "$0")/../rootlesskit/common.sh"
# shellcheck source=results.sh
. "$(dirname "$0")/results.sh"
command -v python3 >/dev/null || skip_all "no python3"
use_programs
make_kit_user parallel

for net in none gateway; do
    start_kit --net=$net --port-driver=builtin sleep 600
    results "$net: " parallel.py "$state/api.sock" 14000
    stop_kit
done
done_testing
