"""The uidmap toolkit against Debian's, in a mount namespace with an /etc of its own.

Root's part writes that /etc; newuidmap and getsubids run as a user of it."""
import ctypes
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from measure import SYSTEM_PATH, peer_path, rotate

NAMES = ("newuidmap", "getsubids", "provision")
USER, UID = "rlbench", 59999
CLONE_NEWUSER = 0x10000000
USERMODS = 100


def heading():
    return "an /etc of its own"


def run_in_private_place(words, env):
    """Runs words where /etc is a copy and /var/lib empty, and removes both afterwards."""
    place = tempfile.mkdtemp(prefix="rlbench-", dir="/var/tmp")
    shell = """set -e
        place=$1; shift
        mkdir "$place/etc" "$place/lib"
        cp -a /etc/. "$place/etc/"
        mount --bind "$place/etc" /etc
        mount --bind "$place/lib" /var/lib
        exec "$@" """
    try:
        return subprocess.run(["unshare", "--mount", "--propagation", "private", "sh", "-c", shell, "sh", place,
                               *words], env=dict(os.environ, **env), check=False).returncode
    finally:
        shutil.rmtree(place)


def write(path, lines):
    with open(path, "w", encoding="ascii") as f:
        f.writelines(line + "\n" for line in lines)


class Target:
    """A process in a new user namespace without a map, as newuidmap's callers have one."""

    def __init__(self):
        ready, done = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            status = ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER)
            os.write(done, b"x" if status == 0 else b"!")
            time.sleep(60)
            os._exit(0)
        os.close(done)
        if os.read(ready, 1) != b"x":
            sys.exit("bench: no user namespace can be made")
        os.close(ready)

    def close(self):
        os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)


def spawned(words):
    """Milliseconds from the start of a program to its end."""
    start = time.perf_counter()
    pid = os.posix_spawn(words[0], words, {"PATH": SYSTEM_PATH},
                         file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])
    _, status = os.waitpid(pid, 0)
    took = (time.perf_counter() - start) * 1000
    if status != 0:
        sys.exit(f"bench: ended with {os.waitstatus_to_exitcode(status)}: {' '.join(words)}")
    return took


def mapped(program, runs):
    """The median of some runs, each on a process of its own."""
    took = []
    for _ in range(runs):
        target = Target()
        took.append(spawned([program, str(target.pid), "0", str(os.getuid()), "1", "1", "100000", "65536"]))
        target.close()
    return statistics.median(took)


def as_user(function):
    """What function returns, run in a child that has become the user."""
    ready, done = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setgroups([])
        os.setresgid(UID, UID, UID)
        os.setresuid(UID, UID, UID)
        # The kernel made us unreadable with the change of ids, and so our children's maps.
        ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)
        os.write(done, repr(function()).encode())
        os._exit(0)
    os.close(done)
    with os.fdopen(ready) as f:
        text = f.read()
    _, status = os.waitpid(pid, 0)
    if status != 0:
        sys.exit(1)
    return float(text)


class Rows:
    def __init__(self, prefix, rounds, table):
        self.rounds, self.add = rounds, table.add
        self.ours = {name: f"{prefix}/bin/{name}" for name in ("newuidmap", "getsubids", "rootless-setup")}
        self.peer = {name: shutil.which(name, path=peer_path()) for name in ("newuidmap", "getsubids", "usermod")}
        missing = [n for n, p in self.peer.items() if not p] + [p for p in self.ours.values() if not os.access(p, os.X_OK)]
        if missing:
            sys.exit(f"bench: not installed: {', '.join(missing)}")
        with open("/etc/passwd", encoding="utf-8") as f:
            self.passwd = f.read().splitlines()

    def users(self, n):
        """Users u0... and, behind them, the one who measures; the passwd file has them."""
        names = [f"u{i}" for i in range(n)]
        write("/etc/passwd", [*self.passwd, *(f"{name}:x:{2000 + i}:2000::/:/bin/sh" for i, name in enumerate(names)),
                              f"{USER}:x:{UID}:{UID}::/:/bin/sh"])
        return names

    def ranges(self, owners):
        lines = [f"{owner}:{3000000 + i * 10}:10" for i, owner in enumerate(owners)] + [f"{USER}:100000:65536"]
        write("/etc/subuid", lines)
        write("/etc/subgid", lines)

    def newuidmap(self):
        self.users(0)
        for n, runs, target in ((1, 40, "<= 0.6"), (100000, 10, "<= 0.05")):
            self.ranges(f"other{i}" for i in range(n - 1))
            figures = rotate({"ours": lambda r=runs: as_user(lambda: mapped(self.ours["newuidmap"], r)),
                              "shadow": lambda r=runs: as_user(lambda: mapped(self.peer["newuidmap"], r))},
                             self.rounds)
            words = f"PID 0 {UID} 1 1 100000 65536"
            self.add(f"newuidmap, {n}-line /etc/subuid", figures, "ms", target, "shadow", "less",
                     {"ours": f"{self.ours['newuidmap']} {words}", "shadow": f"{self.peer['newuidmap']} {words}"})

    def getsubids(self):
        self.ranges(self.users(19999))
        figures = rotate({"ours": lambda: as_user(lambda: spawned([self.ours["getsubids"], USER])),
                          "shadow": lambda: as_user(lambda: spawned([self.peer["getsubids"], USER]))}, self.rounds)
        self.add("getsubids USER, 20000-line /etc/subuid", figures, "ms", "<= 0.005", "shadow", "less",
                 {"ours": f"{self.ours['getsubids']} {USER}", "shadow": f"{self.peer['getsubids']} {USER}"})

    def provision(self):
        names = self.users(10000)
        write("/etc/login.defs", ["SUB_UID_MAX 4200000000", "SUB_GID_MAX 4200000000"])

        def ours():
            write("/etc/subuid", [])
            write("/etc/subgid", [])
            start = time.perf_counter()
            subprocess.run([self.ours["rootless-setup"], "subid", "add", "-"], input="\n".join(names), text=True,
                           stdout=subprocess.DEVNULL, check=True)
            took = (time.perf_counter() - start) * 1000
            with open("/etc/subgid", encoding="ascii") as f:
                if len(f.readlines()) != len(names):
                    sys.exit("bench: not everybody was provisioned")
            return took

        def peer():
            write("/etc/subuid", [])
            write("/etc/subgid", [])
            took = 0.0
            for i, name in enumerate(names[:USERMODS]):
                ids = f"{100000 + i * 65536}-{165535 + i * 65536}"
                took += spawned([self.peer["usermod"], "--add-subuids", ids, "--add-subgids", ids, name])
            return took * len(names) / USERMODS

        figures = rotate({"ours": ours, "usermod": peer}, self.rounds)
        self.add("provisioning 10000 users", figures, "ms", "<= 0.01", "usermod", "less",
                 {"ours": f"{self.ours['rootless-setup']} subid add - <NAMES",
                  "usermod": f"{USERMODS} times {self.peer['usermod']} --add-subuids F-L --add-subgids F-L USER, scaled"})
