#!/bin/bash
# root checks a user who does not wish well: what runs as that user runs beside root's process, and can
# be changed by the user while it does.
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

ranges "rltest-alice:3000000:65536"

# attack PYTHON: what a program does that root's check of newuidmap runs as her. Sets rc and out.
attack() {
    printf "#!%s -IS\n%s\n" "$(PATH=/usr/bin:/bin command -v python3)" "$1" >"$work/stub/newuidmap"
    chmod 755 "$work/stub/newuidmap"
    run on_terminal env -i PATH="$work/stub:$path" NO_COLOR=1 RLTEST_SECRET=hunter2 \
        "$setup" check --user rltest-alice newuidmap
}

# on_terminal COMMAND...: as in a login of root's: a terminal, and a key in the session keyring
on_terminal() {
    "$python" -IS - "$@" <<'END'
import ctypes, os, platform, pty, sys
libc = ctypes.CDLL(None, use_errno=True)
keyctl, add_key = {"x86_64": (250, 248)}.get(platform.machine(), (219, 217))
libc.syscall(keyctl, 1, None) # KEYCTL_JOIN_SESSION_KEYRING
libc.syscall(add_key, b"user", b"rltest-key", b"swordfish", 9, -3)
sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))
END
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

attack 'import os
found = b""
for pid in filter(str.isdigit, os.listdir("/proc")):
    try: found += open("/proc/%s/environ" % pid, "rb").read()
    except OSError: pass
print("found" if b"RLTEST_SECRET=hunter2" in found else "nothing")
raise SystemExit(3)'
like "no process of hers has root's environment" "$out" "exit status 3: nothing"

attack 'import fcntl, os, termios
said = "nothing"
for path in "/dev/tty", "/dev/stdin", "/dev/stdout", "/proc/%d/fd/0" % os.getppid():
    try:
        for byte in b"reboot\n": fcntl.ioctl(os.open(path, os.O_RDWR | os.O_NOCTTY), termios.TIOCSTI, bytes([byte]))
        said = "typed on " + path
    except OSError: pass
print(said)
raise SystemExit(3)'
like "none types on root's terminal" "$out" "exit status 3: nothing"

attack 'import ctypes, platform
libc = ctypes.CDLL(None)
keyctl = {"x86_64": 250}.get(platform.machine(), 219)
key = libc.syscall(keyctl, 10, -3, b"user", b"rltest-key", 0) # KEYCTL_SEARCH
text = ctypes.create_string_buffer(64)
libc.syscall(keyctl, 11, key, text, 64)
print("read " + text.value.decode() if text.value else "nothing")
raise SystemExit(3)'
like "none reads root's keys" "$out" "exit status 3: nothing"
done_testing
