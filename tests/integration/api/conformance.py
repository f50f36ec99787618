"""conformance.py DOCUMENT NAME=SOCKET...: every answer of these servers against docs/openapi.yaml.

A line "ok NAME" or "not ok NAME: WHY" a check. A server named `ending` ends at every request.
"""
import http.client
import json
import random
import re
import socket
import sys

import yaml

from openapi import Document

NEAR = ("/", "/v1", "/v1/", "/v2/info", "/v1/info/", "/v1/ports/", "/v1/ports/1/2", "/v1/portsx", "/v1/openapi.json")
TRIED = ("GET", "PUT", "POST", "DELETE", "OPTIONS", "PATCH", "TRACE")


def check(name, good, why=""):
    print(f"ok {name}" if good else f"not ok {name}: {why!s:.400}".replace("\n", " "), flush=True)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=30)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(self.path)


class Api:
    """One server. Keeps what was wrong with its answers, and which of the document's were seen."""

    def __init__(self, document, name, path, seen):
        self.document, self.name, self.path, self.seen = document, name, path, seen
        self.wrong = []

    def ask(self, method, path, body=None, template=None):
        """@return status and the body's JSON, once it is what the document says"""
        connection = Unix(self.path)
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
        response = connection.getresponse()
        text = response.read()
        connection.close()
        value = self.judge(method, template or path, response, text)
        return response.status, value

    def judge(self, method, template, response, text):
        where = f"{method} {template} {response.status}"
        operation = self.document.operations[method, template]
        answer = operation["responses"].get(str(response.status))
        if answer is None:
            self.wrong.append(f"{where} is not documented: {text[:200]!r}")
            return None
        self.seen.add(where)
        content = self.document.resolve(answer, where).get("content")
        if not content:
            if text or response.getheader("Content-Type"):
                self.wrong.append(f"{where} has a body: {text[:200]!r}")
            return None
        kind = response.getheader("Content-Type").split(";")[0]
        if kind not in content:
            self.wrong.append(f"{where} is {kind}")
            return None
        value = json.loads(text) if kind == "application/json" else text.decode()
        for e in self.document.validator(content[kind]["schema"]).iter_errors(value):
            self.wrong.append(f"{where}: {e.json_path}: {e.message}")
        return value

    def status(self, *args, **more):
        return self.ask(*args, **more)[0]


def refused_bodies():
    """What is no port: (body, is it the schema's business)."""
    good = {"proto": "tcp", "parentIP": "127.0.0.1", "parentPort": 1, "childPort": 80, "childIP": "127.0.0.1"}
    for key in ("proto", "parentPort", "childPort"):
        yield {k: v for k, v in good.items() if k != key}
        if key != "parentPort":
            yield {**good, key: 0}
        for value in (None, "", "80", -1, 65536, 2**31, 2**63, 1.5, True, [], {}, "tcp\0", "x" * 70000):
            yield {**good, key: value}
    for key in ("parentIP", "childIP"):
        for value in (1, True, [], {}, "x", "1.2.3", "::g", "127.0.0.1\0", "x" * 1000):
            yield {**good, key: value}
    for text in ("", "null", "1", '"x"', "[]", "{", "{}{}", '{"proto":"tcp","proto":"tcp"}', "\0", "\xff", "[" * 9999,
                 '{"proto":"tcp","parentPort":1e999,"childPort":1}', "{" + '"a":1,' * 20000 + '"b":1}'):
        yield text.encode("latin-1")


def random_body(rng):
    """A body that may be good or bad, by chance."""
    pick = {
        "proto": ["tcp", "tcp4", "tcp6", "udp", "sctp4", "TCP", "", None, 6],
        "parentIP": ["127.0.0.1", "::1", "", None, "0.0.0.0", "localhost", 1],
        "parentPort": [free_port(), free_port(), 0, 65536, "80", None],
        "childPort": [80, 65535, 1, 0, -5, 80.5],
        "childIP": ["127.0.0.1", "::1", "", None, "a", []],
        "more": [1, {}, None],
    }
    return {k: rng.choice(v) for k, v in pick.items() if rng.random() < 0.9}


def drive_ports(api, protos, builtin):
    spec = api.document.validator({"$ref": "#/components/schemas/PortSpec"})
    api.ask("GET", "/v1/ports")
    ids = []
    for proto in protos:
        status, value = api.ask("POST", "/v1/ports", {"proto": proto, "parentPort": free_port(), "childPort": 80})
        if status == 201:
            ids.append(value["id"])
        elif "sctp" not in proto:  # for which the kernel needs a module
            check(f"{api.name}: {proto} is published", False, value)
    check(f"{api.name}: ids go up", ids == sorted(set(ids)) and ids, ids)
    status, listed = api.ask("GET", "/v1/ports")
    check(f"{api.name}: the list has them all, by id", [x["id"] for x in listed or []] == ids, listed)
    bad = [(body, status) for body in refused_bodies()
           if (status := api.status("POST", "/v1/ports", body)) != 400]
    check(f"{api.name}: what is no port is refused", not bad, bad)
    rng = random.Random(4)
    odd = []
    for _ in range(150):
        body = random_body(rng)
        status, value = api.ask("POST", "/v1/ports", body)
        if status == 201:
            ids.append(value["id"])
        if status == 201 and not spec.is_valid(body):
            odd.append(body)
    check(f"{api.name}: what it takes is what the document says it takes", not odd, odd)
    check(f"{api.name}: the list has them all", [x["id"] for x in api.ask("GET", "/v1/ports")[1]] == ids)
    template = "/v1/ports/{id}"
    knows = {"listening" in x for x in api.ask("GET", "/v1/ports")[1]}
    check(f"{api.name}: who listens is said by the driver that knows", knows == {builtin and api.name != "model"}, knows)
    bad = [text for text in ("", "x", "-1", "1.5", "86401", "1%30", "0x1")
           if api.status("DELETE", f"/v1/ports/{ids[0]}?drain={text}", template=template) != 400]
    check(f"{api.name}: what is no time is refused", not bad, bad)
    drained = [api.status("DELETE", f"/v1/ports/{id}?drain=1", template=template) for id in (ids[0], ids[0])]
    check(f"{api.name}: a port drains where the driver can", drained == ([200, 400] if builtin else [400, 400]), drained)
    if builtin:
        ids.pop(0)
    gone = [api.status("DELETE", f"/v1/ports/{id}", template=template) for id in ids]
    check(f"{api.name}: all are removed", set(gone) == {200}, gone)
    again = [api.status("DELETE", f"/v1/ports/{id}", template=template)
             for id in (*ids[:2], 0, -1, "abc", 2**32, 2**64, "1x", "%31", "%00")]
    check(f"{api.name}: what is not there is not removed", set(again) == {400}, again)
    check(f"{api.name}: the list is null again", api.ask("GET", "/v1/ports") == (200, None))


def drive(api, document):
    _, info = api.ask("GET", "/v1/info")
    relays = "builtin" in str(info.get("portDriver")) or "gateway" in str(info.get("networkDriver"))
    observed = {api.status("GET", "/v1/flows"), api.status("GET", "/v1/metrics")}
    check(f"{api.name}: flows and metrics where something is relayed", observed == {200 if relays else 400}, observed)
    api.ask("GET", "/v1/openapi.yaml")
    driver = (info or {}).get("portDriver")
    if driver:
        drive_ports(api, driver["protos"], driver["driver"] == "builtin")
    else:
        refused = [api.ask("GET", "/v1/ports"), api.ask("POST", "/v1/ports", b"{}"),
                   api.ask("POST", "/v1/ports", {"proto": "tcp", "parentPort": free_port(), "childPort": 80}),
                   api.ask("DELETE", "/v1/ports/1", template="/v1/ports/{id}")]
        check(f"{api.name}: without a port driver all about ports is refused",
              [x[0] for x in refused] == [400] * 4 and refused[0][1]["message"] == "no PortDriver is available", refused)
    wrong = []
    for path in document.doc["paths"]:
        allowed = {m for m, p in document.operations if p == path}
        for method in TRIED:
            if method in allowed:
                continue
            connection = Unix(api.path)
            connection.request(method, re.sub(r"\{.*\}", "1", path))
            response = connection.getresponse()
            if response.status != 405 or set(response.getheader("Allow", "").split(", ")) != allowed:
                wrong.append((method, path, response.status, response.getheader("Allow")))
            connection.close()
    check(f"{api.name}: 405 and Allow for every other method", not wrong, wrong)
    for path in NEAR:
        connection = Unix(api.path)
        connection.request("GET", path)
        if connection.getresponse().status != 404:
            wrong.append(path)
        connection.close()
    check(f"{api.name}: 404 for every other path", not wrong, wrong)


def drive_ending(api):
    got = [api.status("GET", "/v1/flows"), api.status("GET", "/v1/metrics"), api.status("GET", "/v1/info"), api.status("GET", "/v1/ports"),
           api.status("POST", "/v1/ports", {"proto": "tcp", "parentPort": 1, "childPort": 1}),
           api.status("DELETE", "/v1/ports/1", template="/v1/ports/{id}")]
    check("ending: 500", got == [500] * 6, got)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        document = Document(yaml.safe_load(file))
    faults = document.check()
    check("the document is OpenAPI 3.1, its schemas JSON Schema 2020-12, its examples true", not faults, faults)
    seen = set()
    for argument in sys.argv[2:]:
        name, path = argument.split("=", 1)
        api = Api(document, name, path, seen)
        if name == "ending":
            drive_ending(api)
        else:
            drive(api, document)
        check(f"{name}: every answer is as documented", not api.wrong, api.wrong)
    documented = {f"{method} {path} {status}" for (method, path), operation in document.operations.items()
                  for status in operation["responses"]}
    check("every documented answer was seen", seen == documented, documented - seen)


main()
