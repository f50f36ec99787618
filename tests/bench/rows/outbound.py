"""The outbound path: bytes, datagrams and connections from a child to the host's loopback.

Each peer is its own program, attached to a network namespace; the raw path is the host's loopback.
Targets for peers are against the best of them in that figure. How a path is measured is
path.py's."""
import json
import os
import resource
import subprocess
import tempfile

from measure import SYSTEM_PATH, Figure, rotate
from rows import contender, kit, load, path

NAMES = ("outbound", "outbound-udp", "connrate", "refused", "dns", "growth")
MTU = 65520
# Flows, MTU, target against raw, against the best peer child -> host and host -> child.
STREAMS = ((1, 1500, ">= 0.70", ">= 20", ">= 10"), (1, MTU, ">= 0.75", ">= 3.5", ">= 2.5"),
           (4, MTU, ">= 0.65", ">= 2", ">= 2"), (8, MTU, ">= 0.65", ">= 2", ">= 2"))
# Each open connection takes two files of the forwarder, which has some of its own.
MOST_OPEN = min(10000, (resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 200) // 2)
OPEN = (10, 1000, MOST_OPEN)
GROWTH = (("CPU per connection outbound, beside open ones", "us", "load dial"),
          ("CPU per GB outbound, beside open connections", "ms", "iperf3"))


heading = kit.heading


def run(words, env):
    """Root's part: kit's, and for dns a server of its own that the run's resolv.conf names."""
    if "dns" not in words:
        return kit.run_as_user(words, env)
    with tempfile.NamedTemporaryFile("w", prefix="rlbench-", encoding="ascii") as conf:
        conf.write("nameserver 127.0.0.1\n")
        conf.flush()
        os.chmod(conf.name, 0o644)
        server = subprocess.Popen([env[load.PROGRAM], "answer", "127.0.0.1", "53"])
        bind = 'mount --bind "$1" /etc/resolv.conf; shift; exec "$@"'
        try:
            return kit.run_as_user(words, env, ("unshare", "--mount", "sh", "-ec", bind, "sh", conf.name))
        finally:
            server.terminate()
            server.wait()


class Rows:
    """Each method is a row of NAMES."""

    def __init__(self, prefix, rounds, table):
        self.rounds, self.table = rounds, table
        self.ours = kit.Side("ours", f"{prefix}/bin:{SYSTEM_PATH}", "gateway")
        self.peers = list(contender.helpers())
        for name, program, _ in self.peers:
            print(f"# {name}: {contender.version(program)} ({program})")

    def makers(self, mtu):
        """Of each contender by name what starts it."""
        return {"raw": contender.Raw, "ours": lambda: contender.Ours(kit.Instance(self.ours, mtu), mtu),
                **{peer[0]: lambda peer=peer: contender.Helper(*peer, mtu) for peer in self.peers}}

    def start(self, mtu):
        """All contenders by name, running."""
        return {name: make() for name, make in self.makers(mtu).items()}

    def compare(self, name, unit, samples, commands, targets, cost_unit="CPU ms/GB"):
        """Adds the figure of samples; targets: against raw, against the best peer."""
        raw, peer = targets
        path.compare(self.table, Figure(name, unit, {}, "more", commands, {}, cost_unit), samples,
                     ((("raw",), raw), ([peer_name for peer_name, _, _ in self.peers], peer)))

    def outbound(self):
        """TCP, by iperf3; each has a server of its own, which is busy while a run of the other hangs."""
        everybody, at = {}, 0
        servers = {}
        for flows, mtu, raw, out, back in STREAMS:
            if mtu != at:
                path.close(everybody, servers)
                everybody, at = self.start(mtu), mtu
                servers = {name: kit.Server(kit.free_port()) for name in everybody}
            for reverse, peer in ((False, out), (True, back)):
                samples = rotate({name: lambda one=one: path.stream(one, servers[one.name].port, flows, reverse)
                                  for name, one in everybody.items()}, self.rounds)
                commands = {name: f"{one.how}: {' '.join(path.stream_words(one, servers[name].port, flows, reverse))}"
                            for name, one in everybody.items()}
                way = "host -> child" if reverse else "child -> host"
                self.compare(f"outbound TCP {way}, {flows} flow{'s' if flows > 1 else ''}, MTU {mtu}", "Gbit/s",
                             samples, commands, (raw, peer))
        path.close(everybody, servers)

    def outbound_udp(self):
        """Datagrams at a loss below MAX_LOSS."""
        everybody, sink = self.start(MTU), load.Service("sink", "udp")
        for sender, segments in path.SENDERS.items():
            samples = rotate({name: lambda one=one: path.lossless(one, sink, segments)
                              for name, one in everybody.items()}, self.rounds)
            self.compare(f"outbound UDP, 1400-byte datagrams, loss < 1 %, {sender}", "Gbit/s", samples,
                         {name: f"{one.how}: load flood {one.address} {sink.port} MBITS {segments} {path.PROBE_MS}"
                          for name, one in everybody.items()}, ("-", ">= 3"))
        path.close(everybody)
        sink.close()

    def connrate(self):
        """Connections: connect, a byte, close."""
        server = load.Service("serve")
        self.rates("connections/s outbound (connect, 1 byte, close)", "dial",
                   lambda one: (one.address, server.port), ">= 2")
        server.close()

    def refused(self):
        """Connections to a port where nobody listens."""
        port = kit.free_port()
        self.rates("refused connections/s outbound", "refused", lambda one: (one.address, port), "-")

    def dns(self):
        """Lookups that the host's resolver, which is run()'s, answers."""
        if not load.run(contender.Raw(), "lookup", contender.Raw.resolver, 53, 1, 50).get("done"):
            print("# dns is left out: port 53 of loopback is somebody else's\n")
            return
        self.rates("DNS lookups/s outbound", "lookup", lambda one: (one.resolver, 53), "-")

    def rates(self, name, subcommand, to, target):
        """Both numbers of workers of a subcommand that counts; to: contender to its address and port.

        Each is started anew: a peer that keeps a host's port for every lookup takes it from the others."""
        for workers in (1, 8):
            commands = {}

            def alone(make):
                one = make()
                arguments = " ".join(map(str, (*to(one), workers, path.RATE_MS)))
                commands[one.name] = f"{one.how}: load {subcommand} {arguments}"
                found = path.rate(one, subcommand, *to(one), workers)
                one.close()
                return found

            samples = rotate({n: lambda make=make: alone(make) for n, make in self.makers(MTU).items()}, self.rounds)
            self.compare(f"{name}, {workers} worker{'s' if workers > 1 else ''}", "1/s", samples, commands,
                         ("-", target), "CPU us each")

    def growth(self):
        """Costs beside idle connections, each number in an instance of its own."""
        samples = rotate({f"{count} open": lambda count=count: self.costs(count) for count in OPEN}, self.rounds)
        fewest, *more = samples
        for i, (name, unit, by) in enumerate(GROWTH):
            figures = {count: [found[i] for found in rounds] for count, rounds in samples.items()}
            commands = {count: f"{self.ours.binary} --net=gateway: load open, and beside it {by}" for count in samples}
            self.table.compare(Figure(name, unit, figures, "less", commands),
                               [(count, fewest, "<= 1.2") for count in more])

    def costs(self, count):
        """CPU microseconds of a connection and milliseconds of a GB, beside count open ones."""
        one = contender.Ours(kit.Instance(self.ours, MTU), MTU)
        held, served, server = load.Service("hold"), load.Service("serve"), kit.Server(kit.free_port())
        opened = load.Open(one, held.port, count)
        _, connection = path.rate(one, "dial", one.address, served.port, 1)
        _, gigabyte = path.stream(one, server.port, 1, False)
        for thing in (opened, one, held, served, server):
            thing.close()
        return connection, gigabyte
