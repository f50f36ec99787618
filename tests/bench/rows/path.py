"""How a path is measured, whichever way it goes: streams, datagrams, connections.

What is measured has a name, the address that a client dials, the words that run a client (enter), and the CPU seconds
that its forwarder has used (cpu).

UDP is the highest rate of 1400-byte datagrams that loses less than 1 %, found by bisection: a flood tells what a sender
can send and how much arrives, then PROBES paced runs narrow it down between a sixteenth of what arrived and all that
was sent. The receiver has a queue of 4 MiB and takes coalesced datagrams, so that the path and not the receiver is
the limit."""
import dataclasses
import json
import subprocess

from rows import load

# Sender, datagrams a system call.
SENDERS = {"plain sender": 1, "GSO sender": 40}
DATAGRAM_BITS = 1400 * 8
STREAM_SECONDS, SETTLE_SECONDS = 1.5, 0.3
RATE_MS, PROBE_MS, PROBES = 1000, 300, 7
MAX_LOSS = 0.01
TRIES, HANGS_SECONDS = 2, 15


def sample(one, measure):
    """What measure returns, (figure, amount), and the forwarder's CPU seconds per amount."""
    before = one.cpu()
    figure, amount = measure()
    used = one.cpu() - before
    return figure, used / amount if amount else 0.0


def split(samples):
    """Rounds of (figure, cost) as figures and costs; the raw path, and who moved nothing, has no cost."""
    figures = {name: [s[0] for s in rounds] for name, rounds in samples.items()}
    costs = {name: kept for name, rounds in samples.items()
             if name != "raw" and (kept := [cost for figure, cost in rounds if figure > 0])}
    return figures, costs


def rate(one, subcommand, address, port, workers):
    """How often a second a subcommand succeeds, and the CPU microseconds of the forwarder each time."""
    def measure():
        found = load.run(one, subcommand, address, port, workers, RATE_MS)
        return (found["done"] / found["seconds"], found["done"]) if found else (0.0, 0)

    figure, cost = sample(one, measure)
    return figure, cost * 1e6


def stream(one, port, flows, reverse):
    """Gbit/s of iperf3 and the CPU milliseconds of the forwarder for a GB."""
    words = one.enter(*stream_words(one, port, flows, reverse))

    def measure():
        for _ in range(TRIES):  # what fails now and then is measured when it works
            try:
                out = subprocess.run(words, capture_output=True, text=True, check=False, timeout=HANGS_SECONDS).stdout
                found = json.loads(out)
                if "error" not in found:
                    return (found["end"]["sum_received"]["bits_per_second"] / 1e9,
                            sum(part["sum"]["bytes"] for part in found["intervals"]))
                print(f"# {one.name}: {found['error']}", flush=True)
            except (ValueError, KeyError, subprocess.TimeoutExpired) as e:
                print(f"# {one.name}: no result of iperf3: {e}", flush=True)
        return 0.0, 0

    figure, cost = sample(one, measure)
    return figure, cost * 1e12


def stream_words(one, port, flows, reverse):
    return ["iperf3", "-c", one.address, "-p", str(port), "-t", str(STREAM_SECONDS), "-O", str(SETTLE_SECONDS),
            "-P", str(flows), "-J", *(["-R"] if reverse else [])]


def probe(one, sink, mbits, segments):
    """One run of the flood at a rate, 0 for none.

    Returns Mbit/s sent, Mbit/s that arrived, and the CPU milliseconds of the forwarder for a GB of it."""
    sink.ask()

    def measure():
        sent = load.run(one, "flood", one.address, sink.port, int(mbits), segments, PROBE_MS)
        datagrams = sink.ask()
        scale = DATAGRAM_BITS / 1e6 / sent["seconds"] if sent else 0.0
        return (sent.get("sent", 0) * scale, datagrams * scale), datagrams * DATAGRAM_BITS / 8

    (sent, arrived), cost = sample(one, measure)
    return sent, arrived, cost * 1e12


def lossless(one, sink, segments):
    """(Gbit/s, CPU milliseconds for a GB) at the highest rate that loses less than MAX_LOSS; (0, 0) if none does."""
    sent, arrived, cost = probe(one, sink, 0, segments)
    if arrived > sent * (1 - MAX_LOSS):
        return arrived / 1e3, cost
    best, low, high = (0.0, 0.0), arrived / 16, sent
    for _ in range(PROBES if low > 0 else 0):
        middle = (low * high) ** 0.5
        sent, arrived, cost = probe(one, sink, middle, segments)
        if arrived > sent * (1 - MAX_LOSS):
            best, low = (arrived / 1e3, cost), middle
        else:
            high = middle
    return best


def compare(table, figure, samples, against, also=()):
    """Fills a figure and its costs with samples, and adds it; one without a cost_unit has no costs.

    against: names and the target that ours is held to; of several names the best counts, and who was not measured does
    not. also: comparisons of others than ours, as Table.compare() has them."""
    figures, costs = split(samples)
    held = []
    for names, target in against:
        there = tuple(name for name in names if name in figures)
        if there:
            held.append(("ours", there[0] if len(there) == 1 else there, target))
    table.compare(dataclasses.replace(figure, figures=figures, costs=costs if figure.cost_unit else {}), [*held, *also])


def close(*groups):
    """Ends all of some groups by name."""
    for group in groups:
        for thing in group.values():
            thing.close()
