"""rootlesskit: start-up and memory; rootless-setup check; what rows share that a user measures whom root's part makes.

Peers are Debian's rootlesskit and slirp4netns; PEERS=DIR takes newer binaries from DIR."""
import ctypes
import os
import pwd
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from measure import SYSTEM_PATH, peer_path, rotate
from rows import memory

NAMES = ("startup", "memory", "check")
# The id is not one that a test's user gets: userdel refuses while anybody runs with it.
USER, UID = "rlbench", 59000
TUN = "/dev/net/tun"
CONGESTION = "/proc/sys/net/ipv4/tcp_congestion_control"
# What all checks together may take; they have no peer.
CHECK_MS = 200.0
# Open files of a process: two a connection of the row that opens most. Debian's users may have as many.
FILES = 524288
PR_SET_CHILD_SUBREAPER = 36


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Side:
    """One contender's rootlesskit: which binary, which PATH, which network."""

    def __init__(self, name, path, net):
        self.name, self.path, self.net = name, path, net
        self.env = dict(os.environ, PATH=path)
        self.binary = shutil.which("rootlesskit", path=path)
        if not self.binary:
            sys.exit(f"bench: no rootlesskit in {path}")

    def command(self, *words):
        return [self.binary, *words]


class Instance:
    """A running rootlesskit whose child sleeps, unless it has another command; others are run in it with nsenter."""

    def __init__(self, side, mtu, specs=(), driver="builtin", options=(), command=("sleep", "3600")):
        self.state = tempfile.mkdtemp(prefix="rlbench-")
        self.binary = side.binary
        words = [f"--state-dir={self.state}", f"--net={side.net}", f"--mtu={mtu}", "--copy-up=/etc", *options]
        words += [f"--port-driver={driver}"] if specs or driver != "builtin" else []
        words += [f"--publish={spec}" for spec in specs]
        self.process = subprocess.Popen(side.command(*words, *command), env=side.env,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        ready = os.path.join(self.state, "api.sock")
        for _ in range(500):
            if os.path.exists(ready):
                break
            if self.process.poll() is not None:
                sys.exit(f"bench: {side.name} did not start: {' '.join(side.command(*words))}")
            time.sleep(0.02)
        with open(os.path.join(self.state, "child_pid"), encoding="ascii") as f:
            self.child = f.read().strip()

    def enter(self, *words):
        return ["nsenter", "-U", "-n", "-m", "-F", "--preserve-credentials", "-t", self.child, *words]

    def close(self):
        self.process.terminate()
        self.process.wait(timeout=20)
        shutil.rmtree(self.state, ignore_errors=True)


class Server:
    """iperf3 -s, on the host or in an instance."""

    def __init__(self, port, instance=None):
        self.port = port
        words = ["iperf3", "-s", "-p", str(port)]
        self.process = subprocess.Popen(instance.enter(*words) if instance else words,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.4)

    def close(self):
        self.process.terminate()
        self.process.wait()


def timed(side, words):
    command = side.command(*words)

    def once():
        for _ in range(5):  # a peer that fails now and then is measured when it works
            start = time.perf_counter()
            done = subprocess.run(command, env=side.env, stdin=subprocess.DEVNULL, check=False,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if done.returncode == 0:
                return (time.perf_counter() - start) * 1000
        sys.exit(f"bench: failed five times: {' '.join(command)}")
    return once


class Rows:
    """Those of --help's first line; each method is one."""

    def __init__(self, prefix, rounds, table):
        self.rounds = rounds
        self.ours = Side("ours", f"{prefix}/bin:{SYSTEM_PATH}", "gateway")
        self.peer = Side("rootlesskit+slirp4netns", peer_path(), "slirp4netns")
        self.table, self.add = table, table.add

    def startup(self):
        cases = {
            "start-up, no network": (["true"], ["true"], "<= 0.15"),
            "start-up, network + copy-up + port": (
                ["--net=gateway", "--copy-up=/etc", "--port-driver=builtin"],
                ["--net=slirp4netns", "--copy-up=/etc", "--port-driver=builtin"], "<= 0.25")}
        for name, (ours, peer, target) in cases.items():
            if ours[-1] != "true":
                ours = [*ours, "-p", f"127.0.0.1:{free_port()}:80/tcp", "true"]
                peer = [*peer, "-p", f"127.0.0.1:{free_port()}:80/tcp", "true"]
            figures = rotate({"ours": timed(self.ours, ours), self.peer.name: timed(self.peer, peer)},
                             self.rounds * 4)
            self.add(name, figures, "ms", target, self.peer.name, "less",
                     {"ours": " ".join(self.ours.command(*ours)),
                      self.peer.name: " ".join(self.peer.command(*peer))})

    def memory(self):
        """Not alternated: the figure is a state, not a duration."""
        idle, loaded = {}, {}
        for side in (self.ours, self.peer):
            port = free_port()
            instance = Instance(side, 65520, [f"127.0.0.1:{port}:{port}/tcp"])
            idle[side.name] = [memory.settled(instance.process.pid)]
            load = memory.Load(instance, 20000 + 1000 * len(idle))
            loaded[side.name] = [memory.settled(instance.process.pid)]
            load.close()
            instance.close()
        commands = {"each": "Pss of /proc/PID/smaps_rollup, summed over the instance's processes"}
        self.add("idle memory, network + port", idle, "MiB", "<= 0.12", self.peer.name, "less", commands)
        self.add(f"memory, {memory.CONNECTIONS} connections, {memory.PORTS} ports", loaded, "MiB", "<= 0.20",
                 self.peer.name, "less", commands)

    def check(self):
        for engine in ((), ("--engine", "docker"), ("--engine", "podman")):
            words = [shutil.which("rootless-setup", path=self.ours.path) or sys.exit("bench: no rootless-setup"),
                     "check", "--quiet", *engine]
            figures = rotate({"ours": lambda w=words: self.checked(w), "allowed": lambda: CHECK_MS}, self.rounds * 4)
            self.add(f"rootless-setup check {' '.join(engine) or '(all)'}", figures, "ms", "<= 1", "allowed", "less",
                     {"ours": " ".join(words), "allowed": "-"})

    def checked(self, words):
        """Milliseconds; what the checks find is not measured."""
        start = time.perf_counter()
        done = subprocess.run(words, env=self.ours.env, stdin=subprocess.DEVNULL, check=False)
        took = (time.perf_counter() - start) * 1000
        if done.returncode not in (0, 1):
            sys.exit(f"bench: ended with {done.returncode}: {' '.join(words)}")
        return took


def heading():
    with open(CONGESTION, encoding="ascii") as f:
        return f"host congestion control {f.read().strip()}"


def raise_files():
    """For us and all below; a root without CAP_SYS_RESOURCE has only what it was given."""
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES))
    except (ValueError, PermissionError):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def end_rest():
    """Ends what a run that failed has left; as its subreaper we become the parent of all of it."""
    def children():
        with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as f:
            return list(map(int, f.read().split()))

    while rest := children():
        for pid in rest:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def remove_user():
    """The user of a run; one that was killed has left him."""
    subprocess.run(["userdel", "-r", USER], stderr=subprocess.DEVNULL, check=False)


def run_as_user(words, extra, before=()):
    """Root's part: what must be set for the run, and put back after it.

    words: the command that the user is to run; extra: his environment beside the usual;
    before: the words of root that start it."""
    remove_user()
    subprocess.run(["useradd", "-m", "-u", str(UID), USER], check=True)
    tun_mode = os.stat(TUN).st_mode & 0o7777
    with open(CONGESTION, encoding="ascii") as f:
        congestion = f.read()
    entry = pwd.getpwnam(USER)
    runtime = tempfile.mkdtemp(prefix="rlbench-run-")
    ask = memory.serve_pss()
    raise_files()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        os.chown(runtime, entry.pw_uid, entry.pw_gid)
        os.chmod(TUN, 0o666)
        with open(CONGESTION, "w", encoding="ascii") as f:
            f.write("cubic")
        return subprocess.run(
            [*before, "setpriv", "--reuid", USER, "--regid", USER, "--init-groups", "env", "-i",
             f"HOME={entry.pw_dir}", f"USER={USER}", f"TMPDIR={runtime}", f"XDG_RUNTIME_DIR={runtime}",
             f"PATH={SYSTEM_PATH}", f"{memory.ASK}={ask}", *(f"{k}={v}" for k, v in extra.items()), *words],
            cwd="/", check=False, pass_fds=[ask]).returncode
    finally:
        end_rest()
        with open(CONGESTION, "w", encoding="ascii") as f:
            f.write(congestion)
        os.chmod(TUN, tun_mode)
        remove_user()
        shutil.rmtree(runtime, ignore_errors=True)
