#!/usr/bin/env python3
"""Makes C of errors.txt (rows, or the unit test's samples) and of docs/checks.md (what each check is about).

Usage: generate.py rows|samples|about INPUT OUTPUT
"""
import re
import sys
import textwrap
from pathlib import Path

PATTERNS_MAX = 8
FIELDS = {"check", "symptom", "match", "text", "why", "type"}
ONCE = {"check", "symptom", "why"}


def fail(place, what):
    sys.exit(f"{place}: {what}")


def entries(path):
    """[(id, {field: [values]})]"""
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        place = f"{path.name}:{number}"
        if not line or line.startswith("#"):
            continue
        if head := re.fullmatch(r"\[([a-z0-9-]+)\]", line):
            found.append((head[1], {}))
            continue
        field, colon, value = line.partition(":")
        if not colon or field not in FIELDS or not found:
            fail(place, "no [ID] and no known field")
        values = found[-1][1].setdefault(field, [])
        values.append(value.strip())
        if field in ONCE and len(values) > 1:
            fail(place, f"a second {field}")
        if field == "match" and (value.strip() != value.strip().lower() or re.search(r"[\"'`\\]|  |^ [*#]", value)):
            fail(place, "no normalised pattern")
    for name, fields in found:
        if not all(fields.get(f) for f in ("match", "text", "why", "type")) or len(fields["match"]) > PATTERNS_MAX:
            fail(path.name, f"[{name}] lacks a field, or has too many patterns")
    names = [name for name, _ in found]
    if len(set(names)) != len(names):
        fail(path.name, "an id stands there twice")
    return found


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("??", "?\\?") + '"'


def rows(path):
    yield '#include "rootless-setup/explain/rows.h"'
    yield "const struct explain_row explain_rows[] = {"
    for name, fields in entries(path):
        yield f"    {{.id = {quoted(name)},"
        yield f"     .patterns = {{{', '.join(map(quoted, fields['match']))}}},"
        if "check" in fields:
            yield f"     .check = {quoted(fields['check'][0])},"
        yield f"     .symptom = {str('symptom' in fields).lower()},"
        yield f"     .cause = {quoted(fields['why'][0])},"
        yield f"     .help = {quoted(''.join(line + chr(10) for line in fields['type']))}}},"
    yield "};"
    yield "const size_t explain_rows_count = sizeof explain_rows / sizeof explain_rows[0];"


def samples(path):
    yield '#include "tests/unit/explain_samples.h"'
    yield "const struct explain_sample explain_samples[] = {"
    for name, fields in entries(path):
        for text in fields["text"]:
            yield f"    {{{quoted(name)}, {quoted(text.replace(chr(92) + 'n', chr(10)))}}},"
    yield "};"
    yield "const size_t explain_samples_count = sizeof explain_samples / sizeof explain_samples[0];"


def plain(markdown):
    text = re.sub(r"<[^>]*>", "", markdown)
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text)
    return text.replace("**", "").replace("`", "").strip()


def paragraphs(section):
    """Wrapped text, and tables as lines."""
    for block in re.split(r"\n\s*\n", section.strip()):
        if block.startswith("|"):
            cells = [[plain(c) for c in line.strip("|").split("|")] for line in block.splitlines()]
            cells = [row for row in cells if not set("".join(row)) <= {"-"}]
            for row in cells[1:]:
                yield "\n".join(textwrap.wrap(" - ".join(row), 76, initial_indent="  ", subsequent_indent="    "))
            yield ""
            continue
        for line in plain(block).splitlines():
            if line:
                yield "\n".join(textwrap.wrap(line, 78, subsequent_indent="  "))
        yield ""


def about(path):
    yield '#include "rootless-setup/explain/about.h"'
    yield "const struct explain_about explain_abouts[] = {"
    sections = re.split(r"^## (\S+)$", path.read_text(encoding="utf-8"), flags=re.M)[1:]
    for name, section in zip(sections[::2], sections[1::2]):
        text = "\n".join(paragraphs(section)).strip() + "\n"
        yield f"    {{{quoted(name)}, {quoted(text)}}},"
    yield "};"
    yield "const size_t explain_abouts_count = sizeof explain_abouts / sizeof explain_abouts[0];"


def main():
    kind, source, target = sys.argv[1:]
    lines = {"rows": rows, "samples": samples, "about": about}[kind](Path(source))
    Path(target).write_text("\n".join(lines) + "\n", encoding="utf-8")


main()
