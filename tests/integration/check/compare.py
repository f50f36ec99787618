"""Compares reports of `rootless-setup check --json` for broken.sh; says what is not as it should be.

  compare.py broken BEFORE NOW RC ID STATUS SAID REMEDY ALSO   ID alone, and those that need it, got worse
  compare.py mended BEFORE NOW                                 nothing is worse than before
  compare.py same BEFORE NOW ID                                ID came out as before
  compare.py can NOW ID                                        prints what can be tried: "fix", "paste"
"""
import json
import sys

RANKS = ["ok", "hint", "warning", "failed", "skipped"]
LOST = ("warning", "failed")


def checks(path):
    with open(path, encoding="ascii") as file:
        return {check["id"]: check for check in json.load(file)["checks"]}


def worse(before, now):
    return [i for i in now if RANKS.index(now[i]["status"]) > RANKS.index(before[i]["status"])]


def tell(check):
    return f"{check['id']}: {check['status']}: {check['evidence']}; {check['cause']}"


def lines(check, *kinds):
    return "\n".join(line for kind in kinds for line in check["remedy"][kind])


def needs(now, ident):
    return {ident}.union(*(needs(now, need) for need in now[ident]["needs"]))


def excused(now, ident, others):
    """Not tried because of ours, or no fault: what this system runs in is told, whatever works there."""
    if now[ident]["status"] == "hint" and (now[ident]["cause"] or "").startswith("not tried: "):
        return True
    return ident == "where" or now[ident]["status"] == "skipped" and needs(now, ident) & others


def broken(before, now, rc, ident, status, said, remedy, also):
    before, now, also = checks(before), checks(now), also.split()
    check = now[ident]
    if RANKS.index(before[ident]["status"]) >= RANKS.index(status):
        yield f"not as good before that it can be {status}: {tell(before[ident])}"
    if check["status"] != status:
        yield f"not {status}: {tell(check)}"
    others = [i for i in worse(before, now) if i != ident]
    for other in others:
        if other not in also and not excused(now, other, {ident, *also}):
            yield f"got worse as well: {tell(now[other])}"
    for other in also:
        if other not in others:
            yield f"did not get worse: {tell(now[other])}"
    if said not in check["evidence"] + "\n" + (check["cause"] or ""):
        yield f"{said!r} is not said: {tell(check)}"
    if not check["cause"]:
        yield f"no cause: {tell(check)}"
    told = lines(check, "root", "user", "notes")
    if remedy not in told or (check["status"] in LOST and not told):
        yield f"{remedy!r} is no remedy: {told!r}"
    bad = any(c["status"] in ("failed", "skipped") for c in now.values())
    if int(rc) != bad:
        yield f"exit status {rc}"


def mended(before, now):
    before, now = checks(before), checks(now)
    for ident in worse(before, now):
        yield f"is not mended: {tell(now[ident])}"


def same(before, now, ident):
    before, now = checks(before)[ident], checks(now)[ident]
    if before != now:
        yield f"not as before: {tell(before)} NOW {tell(now)}"


def can(now, ident):
    check = checks(now)[ident]
    if check["fix"]:
        print("fix")
    if lines(check, "root", "user"):
        print("paste")
    return ()


wrongs = list({"broken": broken, "mended": mended, "same": same, "can": can}[sys.argv[1]](*sys.argv[2:]))
for wrong in wrongs:
    print(wrong)
sys.exit(1 if wrongs else 0)
