"""A DNS client for the tests.

  ask.py many SERVER N      N queries over UDP at once, each asked again when there is no answer in
                            2 s; prints how many were answered rightly
  ask.py on SERVER FILE     one after the other while FILE is there, each asked once, with 5 s for the
                            answer; prints "N answered, M not"

A right answer has the query's id and question, and one of the addresses 192.0.2.51 to 192.0.2.59.
"""
import os
import re
import selectors
import socket
import sys
import time

MODE, SERVER, ARG = sys.argv[1:]
FAMILY = socket.AF_INET6 if ":" in SERVER else socket.AF_INET
RIGHT = re.compile(rb"\xc0\x00\x02[3-;]$", re.S)


def query(number):
    name = b"".join(bytes([len(part)]) + part for part in (b"q%d" % number, b"example", b""))
    return number.to_bytes(2, "big") + b"\1\0\0\1\0\0\0\0\0\0" + name + b"\0\1\0\1"


def is_right(answer, asked):
    return answer[:2] == asked[:2] and asked[12:] in answer and RIGHT.search(answer) is not None


def connected():
    sock = socket.socket(FAMILY, socket.SOCK_DGRAM)
    sock.connect((SERVER, 53))
    return sock


def many(n):
    waiting = {}
    selector = selectors.DefaultSelector()
    for number in range(n):
        sock = connected()
        selector.register(sock, selectors.EVENT_READ, query(number))
        waiting[sock] = query(number)
    for _ in range(10):
        for sock, asked in waiting.items():
            sock.send(asked)
        until = time.monotonic() + 2
        while waiting and time.monotonic() < until:
            for key, _ in selector.select(0.1):
                if is_right(key.fileobj.recv(4096), key.data):
                    selector.unregister(key.fileobj)
                    del waiting[key.fileobj]
    print(n - len(waiting))


def ask_on(path):
    answered = failed = 0
    while os.path.exists(path):
        asked = query((answered + failed) % 65536)
        with connected() as sock:
            sock.settimeout(5)
            sock.send(asked)
            try:
                good = is_right(sock.recv(4096), asked)
            except OSError:
                good = False
        answered += good
        failed += not good
    print(f"{answered} answered, {failed} not")


if MODE == "many":
    many(int(ARG))
else:
    ask_on(ARG)
