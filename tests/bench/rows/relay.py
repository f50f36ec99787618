"""Ways of relaying bytes between two TCP connections, each in a process with one thread on the host's loopback.

load/relay.h has them; "gateway" is what rootlesskit does. A way that cannot be had here is left out, and says why.
"The host" is a network namespace of the run, in which a user measures; nothing else is changed."""
import subprocess
import tempfile

from measure import SYSTEM_PATH, Figure, rotate
from rows import contender, kit, load, path

NAMES = ("relay", "relay-short")
WAYS = ("gateway", "splice", "copy-64k", "copy-1m", "uring")
OURS = WAYS[0]
PINGPONG_MS = 1000

heading = kit.heading


def run(words, env):
    """Root's part: the namespaces, with which all that runs in them ends."""
    script = (f"ip link set lo up; echo {contender.PINNED} >/proc/sys/net/ipv4/tcp_congestion_control; "
              f"exec setpriv --reuid {kit.UID} --regid {kit.UID} --clear-groups \"$@\"")
    return subprocess.run(["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-ec", script,
                           "sh", *words], env={"PATH": SYSTEM_PATH, "TMPDIR": tempfile.gettempdir(), **env},
                          cwd="/", check=False).returncode


class Raw(contender.Raw):
    """The server itself."""

    def __init__(self, port):
        self.port = port


class Relay:
    """One way to one server."""
    address, enter = contender.Raw.address, staticmethod(load.on_host)

    def __init__(self, way, to):
        self.name, self.port, self.why = way, kit.free_port(), None
        with tempfile.TemporaryFile("w+") as said:
            self.process = subprocess.Popen(
                load.words("relay", way, self.address, self.port, self.address, to), stderr=said)
            contender.until(self._is_decided, f"load relay {way}")
            if self.process.poll() is not None:
                said.seek(0)
                self.why = said.read().strip()

    def _is_decided(self):
        return self.process.poll() is not None or load.is_listening(load.on_host, self.address, self.port, "tcp")

    def cpu(self):
        return contender.cpu_seconds(self.process.pid)

    def close(self):
        self.process.terminate()
        self.process.wait()


def start(ports):
    """All ways by name, running, and the server itself; ports: where each finds its server."""
    ways = {way: Relay(way, ports[way]) for way in WAYS}
    for way, relay in ways.items():
        if relay.why:
            print(f"# {way} is left out: {relay.why}", flush=True)
    return {"raw": Raw(ports["raw"]), **{way: relay for way, relay in ways.items() if not relay.why}}


def exchanges(way):
    """Short messages there and back a second, one after the other, and the relay's CPU microseconds of each."""
    def measure():
        done = load.run(way, "pingpong", way.address, way.port, PINGPONG_MS).get("done", 0)
        return done / PINGPONG_MS * 1000, done

    rate, cost = path.sample(way, measure)
    return rate, cost * 1e6


class Rows:
    """Each method is a row of NAMES."""

    def __init__(self, _prefix, rounds, table):
        self.rounds, self.table = rounds, table

    def relay(self):
        """Bulk, by iperf3; each has a server of its own, which may not be done with a run when the next one begins."""
        servers = {name: kit.Server(kit.free_port()) for name in ("raw", *WAYS)}
        ways = start({name: server.port for name, server in servers.items()})
        for flows in (1, 4):
            self.compare(f"relayed TCP, {flows} flow{'s' if flows > 1 else ''}", "Gbit/s", "CPU ms/GB", ways,
                         lambda way, flows=flows: path.stream(way, way.port, flows, False),
                         lambda way, flows=flows: " ".join(path.stream_words(way, way.port, flows, False)))
        path.close(ways, servers)

    def relay_short(self):
        """Short messages on one connection, and connections with one byte."""
        echo, server = load.Service("echo"), load.Service("serve")
        lasting, short = (start(dict.fromkeys(("raw", *WAYS), one.port)) for one in (echo, server))
        self.compare("relayed exchanges of 64 bytes, one connection", "1/s", "CPU us each", lasting, exchanges,
                     lambda way: f"load pingpong {way.address} {way.port} {PINGPONG_MS}")
        for workers in (1, 8):
            self.compare(f"relayed connections of one byte, {workers} at a time", "1/s", "CPU us each", short,
                         lambda way, workers=workers: path.rate(way, "dial", way.address, way.port, workers),
                         lambda way, workers=workers: f"load dial {way.address} {way.port} {workers} {path.RATE_MS}")
        path.close(lasting, short, {"echo": echo, "server": server})

    def compare(self, name, unit, cost_unit, ways, measure, command):
        """One figure of all ways: the rate of each, and its CPU time, against the gateway's."""
        samples = rotate({way: lambda one=one: measure(one) for way, one in ways.items()}, self.rounds)
        figures, costs = path.split(samples)
        commands = {way: f"load relay {way}: {command(one)}" for way, one in ways.items()}
        others = [way for way in ways if way not in ("raw", OURS)]
        self.table.compare(Figure(name, unit, figures, "more", commands, costs, cost_unit),
                           [(way, OURS, "-") for way in others])
        self.table.compare(Figure(f"{name}: {cost_unit}", cost_unit, costs, "less", commands),
                           [(way, OURS, "-") for way in others])
