"""What all rows share: rounds that alternate, ratios within a round, one table."""
import os
import statistics

SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def peer_path():
    """Where peers are found: PEERS=DIR before the system."""
    peers = os.environ.get("PEERS")
    return f"{peers}:{SYSTEM_PATH}" if peers else SYSTEM_PATH


def rotate(contenders, rounds):
    """Runs every contender once a round, each round beginning with another one."""
    names = list(contenders)
    figures = {name: [] for name in names}
    for n in range(rounds):
        for i in range(len(names)):
            name = names[(n + i) % len(names)]
            figures[name].append(contenders[name]())
    return figures


def ratio(figures, one, other):
    pairs = [a / b for a, b in zip(figures[one], figures[other]) if b > 0]
    return statistics.median(pairs) if pairs else float("nan")


class Table:
    """Rows as they come: printed at once, kept for --json."""

    def __init__(self):
        self.rows = []

    def add(self, name, figures, unit, target, against, better, commands):
        value = ratio(figures, "ours", against)
        row = {
            "name": name, "unit": unit, "against": against, "ratio": float(f"{value:.3g}"), "target": target,
            "better": better, "medians": {k: round(statistics.median(v), 3) for k, v in figures.items()},
            "spread": {k: [round(min(v), 3), round(max(v), 3)] for k, v in figures.items()},
            "commands": commands}
        self.rows.append(row)
        medians = ", ".join(f"{k} {v:g}" for k, v in row["medians"].items())
        print(f"{row['name']:<46} {row['ratio']:>7.3g} of {row['against']:<24} target {row['target']:<8}"
              f" ({medians} {row['unit']})", flush=True)
