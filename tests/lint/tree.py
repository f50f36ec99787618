"""What the checkers here share: the files of the tree, C without its comments, and TAP."""
import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEXT = {".c", ".h", ".sh", ".py", ".md", ".build", ".txt", ".json", ".yml", ".1", ".5", ".8", ""}
TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def files(*suffixes):
    """Every file of the tree with one of the suffixes, build folders and git's own left out."""
    found = []
    for folder, folders, names in os.walk(ROOT):
        top = Path(folder) == ROOT
        folders[:] = [f for f in folders if f not in (".git", "__pycache__", "corpus")
                      and not (top and (f.startswith("build") or f == "subprojects"))]
        for name in names:
            path = Path(folder, name)
            if (not suffixes or path.suffix in suffixes) and path.is_file():
                found.append(path)
    return sorted(found)


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def text_of(path):
    return path.read_text(encoding="utf-8")


def code_of(path, keep_strings=False):
    """C with comments blanked (and what stands in quotes too), line numbers unchanged."""
    def blank(match):
        token = match[0]
        if token[0] == "/":
            return re.sub(r"[^\n]", " ", token)
        return token if keep_strings else token[0] + " " * (len(token) - 2) + token[-1]
    return TOKEN.sub(blank, text_of(path))


def line_at(text, position):
    return text.count("\n", 0, position) + 1


class Tap:
    """One result a rule, with every place that breaks it."""

    def __init__(self):
        self.n = 0
        self.failed = False

    def rule(self, what, broken):
        self.n += 1
        print(f"{'not ok' if broken else 'ok'} {self.n} - {what}")
        for place in broken:
            print(f"# {place}")
        self.failed |= bool(broken)

    def end(self):
        print(f"1..{self.n}")
        sys.exit(1 if self.failed else 0)
