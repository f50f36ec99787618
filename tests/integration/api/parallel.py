"""parallel.py SOCKET LOW: many clients at once add and remove ports from LOW on; nothing is lost.

A line "ok NAME" or "not ok NAME: WHY" a check.
"""
import http.client
import json
import socket
import sys
import threading
import time

PATH, LOW = sys.argv[1], int(sys.argv[2])
CLIENTS, EACH = 50, 8


def check(name, good, why=""):
    print(f"ok {name}" if good else f"not ok {name}: {why!s:.400}".replace("\n", " "), flush=True)


class Unix(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(PATH)


def ask(method, path, body=None):
    connection = Unix("u", timeout=30)
    connection.request(method, path, body and json.dumps(body))
    response = connection.getresponse()
    text = response.read()
    connection.close()
    return response.status, json.loads(text) if text else None


def listens(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def client(number, kept, odd):
    """Adds some ports and removes every second one; all along, the list has what is his."""
    mine = {}
    for i in range(EACH):
        port = LOW + number * EACH + i
        spec = {"proto": "tcp", "parentIP": "127.0.0.1", "parentPort": port, "childPort": 80}
        status, answer = ask("POST", "/v1/ports", spec)
        if status != 201 or answer["spec"] != spec:
            odd.append(("add", port, status, answer))
            continue
        mine[answer["id"]] = port
        if i % 2:
            gone = min(mine)
            status, answer = ask("DELETE", f"/v1/ports/{gone}")
            if status != 200 or listens(mine.pop(gone)):
                odd.append(("remove", gone, status, answer))
        listed = ask("GET", "/v1/ports")[1] or []
        ids = [x["id"] for x in listed]
        if ids != sorted(set(ids)) or not set(mine) <= set(ids):
            odd.append(("list", sorted(mine), ids))
    kept.update(mine)


def main():
    kept, odd, slowest = {}, [], 0.0
    threads = [threading.Thread(target=client, args=(n, kept, odd)) for n in range(CLIENTS)]
    for t in threads:
        t.start()
    while any(t.is_alive() for t in threads):
        start = time.monotonic()
        ask("GET", "/v1/info")
        slowest = max(slowest, time.monotonic() - start)
        time.sleep(0.02)
    check(f"{CLIENTS} clients add, remove and list at once", not odd, odd)
    check("meanwhile every other request is answered within 2 s", slowest < 2, slowest)
    listed = {x["id"]: x["spec"]["parentPort"] for x in ask("GET", "/v1/ports")[1]}
    check("the list is what they say they have", listed == kept and len(kept) == CLIENTS * EACH // 2,
          (sorted(listed), sorted(kept)))
    used = set(listed.values())
    wrong = [p for p in range(LOW, LOW + CLIENTS * EACH) if listens(p) != (p in used)]
    check("these ports listen and no others", not wrong, wrong)

    answers = []
    port = LOW + CLIENTS * EACH
    spec = {"proto": "tcp", "parentIP": "127.0.0.1", "parentPort": port, "childPort": 80}
    threads = [threading.Thread(target=lambda: answers.append(ask("POST", "/v1/ports", spec))) for _ in range(CLIENTS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    check("of many who want the same port one gets it",
          sorted(x[0] for x in answers) == [201] + [400] * (CLIENTS - 1), answers)
    gone = []
    ids = [x["id"] for x in ask("GET", "/v1/ports")[1]]
    threads = [threading.Thread(target=lambda i=i: gone.append(ask("DELETE", f"/v1/ports/{i}")[0])) for i in ids]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    check("all are removed at once", gone == [200] * len(ids) and ask("GET", "/v1/ports") == (200, None), gone)
    check("nobody listens any more", not any(listens(p) for p in range(LOW, port + 1)))


main()
