"""Published ports: what comes in to a child, from the host itself and from another machine.

"The host" is a network namespace of the run, whose loopback is the raw path, and the other machine is one more, at
the other end of a veth. What listens in a child listens on all addresses. RootlessKit's drivers and pasta forward each
in an instance of its own; pasta also with its port given by pesto, where that is to be had. Ours also hands sockets
over, which only what descends from an instance's command gets: it is run by that (servant.py)."""
import os
import shutil
import subprocess
import tempfile

from measure import SYSTEM_PATH, Figure, rotate
from rows import contender, kit, load, path, servant

NAMES = ("published", "published-udp", "published-connrate", "published-latency", "published-http")
MTU = 65520
ANY, HOST, OTHER, LINK = "0.0.0.0", "198.51.100.1", "198.51.100.2", "rlbench0"
# Set for the process that measures: a process in the other machine's namespaces.
OTHER_PID = "RLBENCH_OTHER"
ANSWER = "x" * 612  # as long as nginx's welcome page
HTTP_SECONDS, HTTP_CONNECTIONS, PINGPONG_MS = 2, 16, 1000
HANDED_OVER = "handed over"

heading = kit.heading


def run(words, env):
    """Root's part: the two machines, which belong to the user who measures."""
    sleeping = ("sleep", "3600")
    user = ("setpriv", "--reuid", str(kit.UID), "--regid", str(kit.UID), "--clear-groups")
    kit.remove_user()  # not possible any more when somebody runs with his id
    host = subprocess.Popen(["unshare", "--net", *sleeping])
    other = subprocess.Popen([*user, "unshare", "--user", "--map-root-user", "--net", *sleeping])
    try:
        for process in (host, other):
            contender.until(lambda process=process: contender.comm(process.pid) == "sleep", "unshare")
        link(host.pid, other.pid)
        return kit.run_as_user(words, {**env, OTHER_PID: str(other.pid)}, ("nsenter", f"--net=/proc/{host.pid}/ns/net"))
    finally:
        for process in (other, host):
            process.terminate()
            process.wait()


def link(host, other):
    """A veth between two network namespaces, and a congestion control that both have from the start.

    pasta wants a default route, wherever it leads."""
    pin = f"echo {contender.PINNED} >/proc/sys/net/ipv4/tcp_congestion_control"
    script = (f"ip link set lo up; ip link add {LINK} type veth peer name {LINK} netns {other}; "
              f"ip address add {HOST}/24 dev {LINK}; ip link set {LINK} up; ip route add default via {OTHER}; {pin}")
    subprocess.run(["nsenter", "-n", "-t", str(host), "sh", "-ec", script], check=True)
    script = f"ip link set lo up; ip address add {OTHER}/24 dev {LINK}; ip link set {LINK} up; {pin}"
    subprocess.run(["nsenter", "-n", "-t", str(other), "sh", "-ec", script], check=True)


class Place:
    """Where a client is, and the address at which it finds the host."""

    def __init__(self, name, address, enter):
        self.name, self.address, self.enter = name, address, enter


def places():
    """The host itself, then the other machine."""
    def enter_other(*words):
        return ["nsenter", "-U", "-n", "--preserve-credentials", "-t", os.environ[OTHER_PID], *words]

    return Place("loopback", "127.0.0.1", load.on_host), Place("another host", HOST, enter_other)


class Way:
    """The published port of a contender, as path.py measures it from a place."""

    def __init__(self, forwarder, place):
        self.name, self.cpu, self.port = forwarder.name, forwarder.cpu, forwarder.port
        self.address, self.enter = place.address, place.enter


class Raw(contender.Raw):
    """The host, with nothing in between."""

    def __init__(self):
        self.port = kit.free_port()


class RootlessKit:
    """An instance of a rootlesskit, ours too, with one port published by a driver."""

    def __init__(self, name, side, driver, **more):
        """more: of kit.Instance()."""
        self.name, self.port = name, kit.free_port()
        specs = [] if driver == "implicit" else [f"{ANY}:{self.port}:{self.port}/{kind}" for kind in ("tcp", "udp")]
        self.instance = kit.Instance(side, MTU, specs, driver, **more)
        self.how = " ".join((side.binary, f"--net={side.net}", f"--mtu={MTU}", f"--port-driver={driver}",
                             *more.get("options", ())))
        self.prepare()
        contender.pin_congestion(self)

    def prepare(self):
        """What must be done before enter() works."""

    def enter(self, *words):
        return self.instance.enter(*words)

    def cpu(self):
        return contender.cpu_seconds(self.instance.process.pid)

    def close(self):
        self.instance.close()


class HandedOver(RootlessKit):
    """Ours, with services that get the host's own sockets."""

    def __init__(self, side):
        self.scratch = tempfile.mkdtemp(prefix="rlbench-")
        self.socket, self.servant = os.path.join(self.scratch, "servant"), None
        super().__init__(HANDED_OVER, side, "builtin", options=("--port-handover=all",),
                         command=servant.words(self.socket))

    def _is_served(self):
        self.servant = servant.pid_of(self.socket)
        return self.servant is not None

    def prepare(self):
        contender.until(self._is_served, "the command of rootlesskit --port-handover=all")

    def enter(self, *words):
        return servant.words(self.socket, *words)

    def cpu(self):
        """Without the services', which are below the instance here."""
        return contender.cpu_seconds(self.instance.process.pid, self.servant)

    def close(self):
        super().close()
        shutil.rmtree(self.scratch)


class Pasta(contender.Helper):
    """pasta on its own. With pesto its port is added when it runs."""

    def __init__(self, name, program, pesto=None):
        self.port = kit.free_port()
        self.scratch = tempfile.mkdtemp(prefix="rlbench-")
        if not pesto:
            super().__init__(name, program, "pasta", MTU, str(self.port))
            return
        control = os.path.join(self.scratch, "control")
        super().__init__(name, program, "pasta", MTU, options=("-c", control))
        add = [pesto, "-A", "-t", str(self.port), "-u", str(self.port), control]
        subprocess.run(add, stdout=subprocess.DEVNULL, check=True)
        self.how += f", {' '.join(add)}"

    def close(self):
        super().close()
        shutil.rmtree(self.scratch)


def makers(prefix):
    """Of each contender by name what starts it; who cannot be had is not there."""
    ours = kit.Side("ours", f"{prefix}/bin:{SYSTEM_PATH}", "gateway")
    found = {"raw": Raw, "ours": lambda: RootlessKit("ours", ours, "builtin"), HANDED_OVER: lambda: HandedOver(ours)}
    for suffix, search in contender.search_paths().items():
        pasta, pesto = (shutil.which(program, path=search) for program in ("pasta", "pesto"))
        if shutil.which("rootlesskit", path=search):
            side = kit.Side("rootlesskit" + suffix, f"{search}:{SYSTEM_PATH}", "slirp4netns")
            for driver in ("builtin", "slirp4netns"):
                found[driver + suffix] = lambda side=side, name=driver + suffix, driver=driver: \
                    RootlessKit(name, side, driver)
        if pasta:
            found["pasta" + suffix] = lambda name="pasta" + suffix, pasta=pasta: Pasta(name, pasta)
        if pasta and pesto:
            found["pesto" + suffix] = lambda name="pesto" + suffix, pasta=pasta, pesto=pesto: Pasta(name, pasta, pesto)
    return found


class Web:
    """nginx, one process, with a short answer."""

    def __init__(self, forwarder):
        self.scratch = tempfile.mkdtemp(prefix="rlbench-")
        conf = os.path.join(self.scratch, "nginx.conf")
        temp = " ".join(f"{what}_temp_path {self.scratch}/{what};"
                        for what in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        with open(conf, "w", encoding="ascii") as f:
            f.write(f"user root; daemon off; master_process off; pid {self.scratch}/pid; "
                    "events { worker_connections 4096; } "
                    f"http {{ access_log off; {temp} keepalive_requests 1000000000; "
                    f'server {{ listen {ANY}:{forwarder.port}; location / {{ return 200 "{ANSWER}"; }} }} }}')
        self.process = subprocess.Popen(forwarder.enter("nginx", "-p", self.scratch, "-e", "stderr", "-c", conf),
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        contender.until(lambda: load.is_listening(forwarder.enter, ANY, forwarder.port, "tcp"), "nginx")

    def close(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.scratch)


def requests(way, words):
    """Requests a second that wrk got answered, and the CPU microseconds of the forwarder for each."""
    def measure():
        out = subprocess.run(way.enter(*words), stdout=subprocess.PIPE, text=True, check=False).stdout
        lines = [line.split() for line in out.splitlines()]
        rate = next((float(line[1]) for line in lines if line[:1] == ["Requests/sec:"]), 0.0)
        return rate, next((int(line[0]) for line in lines if line[1:3] == ["requests", "in"]), 0)

    rate, cost = path.sample(way, measure)
    return rate, cost * 1e6


class Rows:
    """Each method is a row of NAMES."""

    def __init__(self, prefix, rounds, table):
        self.rounds, self.table, self.makers = rounds, table, makers(prefix)

    def compare(self, name, unit, samples, commands, against, better="more", cost_unit="CPU ms/GB"):
        """Adds the figure of samples; against: path.compare()'s."""
        also = [(HANDED_OVER, "raw", "-")] if HANDED_OVER in samples else []
        path.compare(self.table, Figure(name, unit, {}, better, commands, {}, cost_unit), samples, against, also)

    def named(self, *kinds):
        """The contenders of some kinds, old and new."""
        return tuple(name for name in self.makers if name.split()[0] in kinds)

    def everybody(self, serve, without=()):
        """All contenders by name, running, but for some, and what serve(contender) started in each."""
        running = {name: make() for name, make in self.makers.items() if name not in without}
        return running, {name: serve(one) for name, one in running.items()}

    def published(self):
        """TCP, by iperf3, from both places."""
        running, servers = self.everybody(lambda one: kit.Server(one.port, one))
        peers = self.named("builtin", "slirp4netns", "pasta", "pesto")
        for place in places():
            ways = {name: Way(one, place) for name, one in running.items()}
            for flows, reverse in ((1, False), (1, True), (4, False), (4, True)):
                samples = rotate({name: lambda way=way: path.stream(way, way.port, flows, reverse)
                                  for name, way in ways.items()}, self.rounds)
                commands = {name: f"{running[name].how}: {' '.join(path.stream_words(way, way.port, flows, reverse))}"
                            for name, way in ways.items()}
                direction = "child -> client" if reverse else "client -> child"
                self.compare(f"published TCP {direction}, from {place.name}, {flows} flow{'s' if flows > 1 else ''}",
                             "Gbit/s", samples, commands,
                             ((("raw",), ">= 0.75" if flows == 1 else "-"), (peers, ">= 1.15")))
        path.close(running, servers)

    def published_udp(self):
        """Datagrams at a loss below path.MAX_LOSS, from loopback; only TCP's sockets are handed over."""
        running, sinks = self.everybody(
            lambda one: load.Service("sink", "udp", one.enter, ANY, one.port), (HANDED_OVER,))
        place = places()[0]
        ways = {name: Way(one, place) for name, one in running.items()}
        for (sender, segments), target in zip(path.SENDERS.items(), (">= 2.1", ">= 5")):
            samples = rotate({name: lambda way=way: path.lossless(way, sinks[way.name], segments)
                              for name, way in ways.items()}, self.rounds)
            commands = {name: f"{running[name].how}: load flood {way.address} {way.port} MBITS {segments} "
                              f"{path.PROBE_MS}" for name, way in ways.items()}
            self.compare(f"published UDP, 1400-byte datagrams, loss < 1 %, {sender}", "Gbit/s", samples, commands,
                         ((("raw",), "-"), (self.named("builtin"), target), (self.named("pasta", "pesto"), ">= 1.5")))
        path.close(running, sinks)

    def published_connrate(self):
        """Connections: connect, a byte, close."""
        running, servers = self.everybody(lambda one: load.Service("serve", "tcp", one.enter, ANY, one.port))
        place = places()[0]
        ways = {name: Way(one, place) for name, one in running.items()}
        for workers, target in ((1, ">= 4"), (8, ">= 2.5")):
            samples = rotate({name: lambda way=way: path.rate(way, "dial", way.address, way.port, workers)
                              for name, way in ways.items()}, self.rounds)
            commands = {name: f"{running[name].how}: load dial {way.address} {way.port} {workers} {path.RATE_MS}"
                        for name, way in ways.items()}
            self.compare(f"connections/s on a published port, {workers} worker{'s' if workers > 1 else ''}", "1/s",
                         samples, commands, ((("raw",), "-"), (self.named("builtin"), target),
                                             (self.named("slirp4netns", "pasta", "pesto"), ">= 1.2")),
                         cost_unit="CPU us each")
        path.close(running, servers)

    def published_latency(self):
        """A message there and back, with all that takes part on one CPU."""
        cpus = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(cpus)})
        running, servers = self.everybody(lambda one: load.Service("echo", "tcp", one.enter, ANY, one.port))
        place = places()[0]
        ways = {name: Way(one, place) for name, one in running.items()}
        found = rotate({name: lambda way=way: load.run(way, "pingpong", way.address, way.port, PINGPONG_MS)
                        for name, way in ways.items()}, self.rounds)
        commands = {name: f"taskset -c {min(cpus)}: {running[name].how}: "
                          f"load pingpong {way.address} {way.port} {PINGPONG_MS}" for name, way in ways.items()}
        for quantile, target in (("p50", "<= 0.65"), ("p99", "<= 0.6")):
            samples = {name: [(one.get(quantile + "_us", float("inf")), 0.0) for one in rounds]
                       for name, rounds in found.items()}
            self.compare(f"ping-pong of 64 bytes on a published port, {quantile}", "us", samples, commands,
                         ((("raw",), "-"), (self.named("builtin"), target), (self.named("pasta", "pesto"), "<= 0.95")),
                         better="less", cost_unit=None)
        path.close(running, servers)
        os.sched_setaffinity(0, cpus)

    def published_http(self):
        """nginx in the child, wrk on the host."""
        running, servers = self.everybody(Web)
        place = places()[0]
        ways = {name: Way(one, place) for name, one in running.items()}
        for name, header in (("keep-alive", ()), ("a connection each", ("-H", "Connection: close"))):
            words = {way.name: ["wrk", "-t", "1", "-c", str(HTTP_CONNECTIONS), "-d", f"{HTTP_SECONDS}s", *header,
                                f"http://{way.address}:{way.port}/"] for way in ways.values()}
            samples = rotate({n: lambda n=n, way=way: requests(way, words[n]) for n, way in ways.items()}, self.rounds)
            commands = {n: f"{running[n].how}: {' '.join(words[n])}" for n in ways}
            self.compare(f"HTTP requests/s of nginx behind a published port, {name}", "1/s", samples, commands,
                         ((("raw",), ">= 0.6"), (self.named("builtin"), ">= 2")), cost_unit="CPU us each")
        path.close(running, servers)
