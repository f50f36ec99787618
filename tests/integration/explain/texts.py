"""Every text of errors.txt through the program: texts.py PROGRAM ERRORS.TXT; says what is not as written there.

A text is taken as an argument and as a line of a log; the first answer must be its row, whose check
exists, and whose commands of ours run: no test would miss a name that is gone otherwise.
"""
import json
import re
import shlex
import subprocess
import sys

PROGRAM, PATH = sys.argv[1:]
LOG = "Nov 26 10:00:00 host systemd[1]: Started.\n%s\nNov 26 10:00:01 host systemd[1]: Stopped.\n"


def run(*words, text=None):
    return subprocess.run([PROGRAM, *words], input=text, capture_output=True, encoding="utf-8", check=False)


def rows(path):
    name = None
    with open(path, encoding="utf-8") as file:
        for line in file:
            if head := re.fullmatch(r"\[([a-z0-9-]+)\]\n", line):
                name = head[1]
            elif field := re.match(r"(text|type|check):\s+(.*)", line):
                yield name, field[1], field[2]


def wrong_text(name, text):
    text = text.replace("\\n", "\n")
    for how, answer in (
        ("argument", run("explain", "--no-check", "--json", text)),
        ("log", run("explain", "--no-check", "--json", text=LOG % text)),
    ):
        if answer.returncode != 0 or json.loads(answer.stdout)["errors"][0]["id"] != name:
            yield f"{name}: {text!r} as {how}: {answer.stdout}{answer.stderr}"


def wrong_command(name, line):
    words = shlex.split(line, comments=True)
    if words[:1] == ["sudo"]:
        words = words[1:]
    if words[:1] != ["rootless-setup"] or any(word.isupper() for word in words):
        return
    if words[1] == "fix":
        words.insert(2, "--dry-run")
        words[3:3] = ["--root", "/"]
    elif words[1] == "check":
        words.append("--help")
        if any(id not in KNOWN for id in words[2:-1] if not id.startswith("-")):
            yield f"{name}: {line}: no such check"
    else:
        words.append("--help")
    answer = run(*words[1:])
    if answer.returncode == 2:
        yield f"{name}: {line}: {answer.stderr}"


KNOWN = re.findall(r"^  (\S+) ", run("check", "--help").stdout.split("Checks")[1], flags=re.M)
texts = wrongs = 0
for row, kind, value in rows(PATH):
    if kind == "check":
        found = [] if value in KNOWN else [f"{row}: no check {value}"]
    else:
        found = list(wrong_text(row, value) if kind == "text" else wrong_command(row, value))
    texts += kind == "text"
    wrongs += len(found)
    for wrong in found:
        print(wrong)
print(f"{texts} texts", file=sys.stderr)
sys.exit(1 if wrongs or not texts else 0)
