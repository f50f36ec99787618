"""Drives a command on a terminal of its own, as a person would.
  terminal.py SCRIPT COMMAND...    SCRIPT: words "send TEXT", "await ERE" and "size ROWS COLUMNS", one a
  line; \\x03 and the like in TEXT are keys. Prints what the terminal showed; exits with 1 when something
  awaited never came, else with the command's status."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

LIMIT = 10


def main():
    with open(sys.argv[1], encoding="ascii") as f:
        steps = [line.rstrip("\n").split(" ", 1) for line in f if line.strip()]
    pid, fd = pty.fork()
    if pid == 0:
        # A test runs in the background of a shell, which has them ignored.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGQUIT, signal.SIG_DFL)
        os.execvp(sys.argv[2], sys.argv[2:])
    shown, seen = "", 0

    def read(deadline):
        nonlocal shown
        if not select.select([fd], [], [], max(0, deadline - time.monotonic()))[0]:
            return False
        try:
            data = os.read(fd, 65536)
        except OSError:
            return False
        shown += data.decode(errors="replace")
        return bool(data)

    failed = None
    for word, text in steps:
        if word == "send":
            os.write(fd, text.encode().decode("unicode_escape").encode())
            continue
        if word == "size":
            fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", *map(int, text.split()), 0, 0))
            continue
        deadline = time.monotonic() + LIMIT
        while not (match := re.compile(text).search(shown, seen)):
            if not read(deadline):
                failed = text
                break
        if failed:
            break
        seen = match.end()
    deadline = time.monotonic() + LIMIT
    while not failed and read(deadline):
        pass
    if not failed and time.monotonic() >= deadline:
        failed = "its end"
    print(shown.replace("\r", ""))
    if failed:
        os.kill(pid, signal.SIGKILL)
        print(f"never came: {failed}")
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    sys.exit(1 if failed else status)


main()
