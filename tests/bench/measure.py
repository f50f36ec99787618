"""What all rows share: rounds that alternate, ratios within a round, one table."""
import dataclasses
import math
import os
import statistics

SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
# The raw path of adjacent rounds further apart than this: the machine was not at rest.
STEADY = 2.0


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
    """The median of the rounds' ratios; None where the other had nothing in any round."""
    pairs = [a / b for a, b in zip(figures[one], figures[other]) if b > 0]
    return statistics.median(pairs) if pairs else None


def medians(figures):
    return {name: statistics.median(values) for name, values in figures.items()}


def best(figures, names, better):
    """Of names the one with the best median."""
    choose = max if better == "more" else min
    return choose(names, key=lambda name: statistics.median(figures[name]))


def is_steady(values):
    """Whether no two adjacent rounds are further apart than STEADY; those with nothing do not count."""
    pairs = [(a, b) for a, b in zip(values, values[1:]) if a > 0 and b > 0]
    return all(max(a, b) <= STEADY * min(a, b) for a, b in pairs)


def is_met(value, target):
    """Whether the ratio meets a target such as ">= 0.75"; None where there is none of the two."""
    if value is None or not target.startswith((">=", "<=")):
        return None
    bound = float(target[2:])
    return value >= bound if target.startswith(">=") else value <= bound


def digits(value, n=3):
    """The number with n significant digits; None for none."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.{n}g}")


@dataclasses.dataclass
class Figure:
    """What one set of rounds found.

    figures: contender to its rounds. better: "more" or "less". commands: contender to what it ran.
    costs: contender to the forwarder's cost in each round, in cost_unit; a figure may have none."""
    name: str
    unit: str
    figures: dict
    better: str
    commands: dict
    costs: dict = dataclasses.field(default_factory=dict)
    cost_unit: str = "CPU ms/GB"


class Table:
    """Figures as they come: printed at once, kept for --json as one row a comparison."""

    def __init__(self):
        self.rows = []

    def add(self, name, figures, unit, target, against, better, commands):
        """A figure with one comparison."""
        self.compare(Figure(name, unit, figures, better, commands), [("ours", against, target)])

    def compare(self, figure, comparisons):
        """comparisons: (contender, against which other or, for the best of them, a tuple of others, target)"""
        common = {
            "name": figure.name, "unit": figure.unit, "better": figure.better,
            "medians": {k: digits(v, 4) for k, v in medians(figure.figures).items()},
            "rounds": {k: [digits(x, 4) for x in v] for k, v in figure.figures.items()},
            "steady": is_steady(figure.figures.get("raw", [])),
            "costs": {k: digits(v) for k, v in medians(figure.costs).items()},
            "cost_unit": figure.cost_unit if figure.costs else None, "commands": figure.commands}
        rows = [self._comparison(figure, *comparison) for comparison in comparisons]
        self.rows += [{**common, **row} for row in rows]
        self._print(common, rows)

    @staticmethod
    def _comparison(figure, subject, against, target):
        against = best(figure.figures, against, figure.better) if isinstance(against, tuple) else against
        value = ratio(figure.figures, subject, against)
        return {"subject": subject, "against": against, "ratio": digits(value), "target": target,
                "met": is_met(value, target)}

    @staticmethod
    def _print(common, rows):
        names = list(common["medians"])

        def line(what, values):
            print(f"    {what:<14}" + "".join(f"{text:>{max(len(name), 8) + 2}}" for name, text in zip(names, values)))

        def numbers(values):
            return ["-" if values.get(name) is None else f"{values[name]:g}" for name in names]

        print(f"{common['name']}{'' if common['steady'] else '   [unsteady: raw varied > 2x between rounds]'}")
        line("", names)
        line(common["unit"], numbers(common["medians"]))
        if common["costs"]:
            line(common["cost_unit"], numbers(common["costs"]))
        for row in rows:
            verdict = {True: ": met", False: ": missed", None: ""}[row["met"]]
            value = "nothing" if row["ratio"] is None else f"{row['ratio']:g}"
            target = "" if row["target"] == "-" else f", target {row['target']}"
            print(f"    {row['subject']}: {value} of {row['against']}{target}{verdict}")
        print(flush=True)
