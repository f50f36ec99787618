"""Who takes part in the rows of the outbound path: the raw one, ours, and the peers of two versions.

A contender has a name, the addresses at which its child finds the host's loopback and its resolver, the words that run
something in the child, and the CPU seconds that its forwarder has used."""
import os
import shutil
import subprocess
import sys
import time

from measure import SYSTEM_PATH
from rows import memory

PINNED = "cubic"
# The options of each peer; mtu, pid and what it publishes are filled in.
HELPERS = {
    "slirp4netns": ("--configure", "--mtu={mtu}", "{pid}", "tap0"),
    "pasta": ("-f", "-q", "-4", "--config-net", "-m", "{mtu}", "-a", "10.0.2.100", "-n", "24", "-g", "10.0.2.2",
              "-I", "tap0", "-t", "{port}", "-u", "{port}", "-T", "none", "-U", "none", "{pid}"),
}


def cpu_seconds(pid, command=None):
    """utime + stime of the process and all below it, but for the commands of the child.

    command: one that does more than sleep, and what it runs."""
    ticks = 0
    for process in memory.family(pid, command):
        try:
            with open(f"/proc/{process}/stat", encoding="ascii") as f:
                head, _, rest = f.read().rpartition(")")
        except (FileNotFoundError, ProcessLookupError):  # it has ended
            continue
        if not head.endswith("(sleep"):
            ticks += sum(map(int, rest.split()[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def comm(pid):
    """The name of the program that a process runs."""
    with open(f"/proc/{pid}/comm", encoding="ascii") as f:
        return f.read().strip()


def until(condition, what):
    """Waits for a condition for at most ten seconds."""
    for _ in range(500):
        if condition():
            return
        time.sleep(0.02)
    sys.exit(f"bench: not within ten seconds: {what}")


class Raw:
    """The host's loopback, with nothing in between."""
    name, address, resolver, how = "raw", "127.0.0.1", "127.0.0.1", "on the host"

    @staticmethod
    def enter(*words):
        return list(words)

    @staticmethod
    def cpu():
        return 0.0

    def close(self):
        pass


class Ours:
    """rootlesskit --net=gateway."""
    name, address, resolver = "ours", "10.0.2.2", "10.0.2.3"

    def __init__(self, instance, mtu):
        self.instance = instance
        self.how = f"in the child of {instance.binary} --net=gateway --mtu={mtu}"
        self.enter = instance.enter
        pin_congestion(self)

    def cpu(self):
        return cpu_seconds(self.instance.process.pid)

    def close(self):
        self.instance.close()


class Helper:
    """A peer that joins the network namespace of a process that sleeps."""
    address = "10.0.2.2"

    def __init__(self, name, program, kind, mtu, port="none", options=()):
        self.name = name
        # pasta gives its guest the gateway's address where the host's resolver is on loopback.
        self.resolver = "10.0.2.3" if kind == "slirp4netns" else self.address
        self.child = subprocess.Popen(["unshare", "--user", "--map-root-user", "--net", "sleep", "3600"])
        until(lambda: comm(self.child.pid) == "sleep", "unshare")
        words = [program, *options,
                 *(word.format(mtu=mtu, pid=self.child.pid, port=port) for word in HELPERS[kind])]
        self.how = f"in the network namespace PID of {' '.join(words).replace(str(self.child.pid), 'PID')}"
        self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self._is_up, self.how)
        pin_congestion(self)

    def _is_up(self):
        if self.process.poll() is not None:
            sys.exit(f"bench: {self.name} did not start: {self.how}")
        route = subprocess.run(self.enter("ip", "-4", "route", "show", "default"), capture_output=True, check=False)
        return b"10.0.2.2" in route.stdout

    def enter(self, *words):
        return ["nsenter", "-U", "-n", "--preserve-credentials", "-t", str(self.child.pid), *words]

    def cpu(self):
        return cpu_seconds(self.process.pid)

    def close(self):
        for process in (self.process, self.child):
            process.terminate()
            process.wait()


def pin_congestion(contender):
    """The child's namespace has what the host had when it was made; say so if it has not."""
    path = "/proc/sys/net/ipv4/tcp_congestion_control"
    subprocess.run(contender.enter("sh", "-c", f"echo {PINNED} >{path}"), stderr=subprocess.DEVNULL, check=False)
    found = subprocess.run(contender.enter("cat", path), capture_output=True, text=True, check=True).stdout.strip()
    if found != PINNED:
        sys.exit(f"bench: {contender.name} has congestion control {found}, not {PINNED}")


def search_paths():
    """Where peers are, by the suffix of their names: the system's, then those of PEERS, called new."""
    return {"": SYSTEM_PATH, **({" new": os.environ["PEERS"]} if "PEERS" in os.environ else {})}


def helpers():
    """Name, program and kind of each peer."""
    for suffix, path in search_paths().items():
        for kind in HELPERS:
            program = shutil.which(kind, path=path)
            if program:
                yield kind + suffix, program, kind


def version(program):
    """What it says of itself, in a word or two."""
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    return said.partition("\n")[0].replace("version ", "")
