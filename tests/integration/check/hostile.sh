#!/bin/bash
# root checks a user who does not wish well: what runs as that user runs beside root's process, and can
# be changed by the user while it does.
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

ranges "rltest-alice:3000000:65536"

# attack NAME PYTHON: what a program does that the check of newuidmap runs as her; root's check gets
# "words", and is on a terminal. Sets rc and out.
attack() {
    printf "#!%s -IS\n%s\n" "$(PATH=/usr/bin:/bin command -v python3)" "$1" >"$work/stub/newuidmap"
    chmod 755 "$work/stub/newuidmap"
    run env -i PATH="$work/stub:$path" RLTEST_SECRET=hunter2 "$setup" check --user rltest-alice newuidmap
}

# Every byte that is shared with a process of hers becomes an A, also once it has been read.
attack 'import os, re
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        if os.stat("/proc/" + pid).st_uid != os.getuid(): continue
        maps = open("/proc/%s/maps" % pid).read()
        memory = open("/proc/%s/mem" % pid, "r+b", buffering=0)
    except OSError:
        continue
    for start, end in re.findall("^([0-9a-f]+)-([0-9a-f]+) rw-s", maps, re.M):
        memory.seek(int(start, 16))
        memory.write(b"A" * (int(end, 16) - int(start, 16)))
        os.kill(int(pid), 9)'
is "a result that is none is a failure" "$rc" 1
like "and told as one" "$out" "failed +newuidmap +the probe ended without an answer"
unlike "nothing of it is printed" "$out$err" "AAAA"
done_testing
