"""SCTP peers for the tests, one-to-one style.

  sctp.py echo ADDRESS PORT [STREAMS]  serve: send each message back as it came: stream, order, protocol identifier
  sctp.py count ADDRESS PORT    serve: answer "end" with the number and the bytes of the messages before it
  sctp.py lazy ADDRESS PORT     the same, but begin to read after two seconds
  sctp.py same ADDRESS PORT     messages of many sizes and streams to an echo; prints "same"
  sctp.py first ADDRESS PORT    send one message, print the answer, or the name of the error
  sctp.py many ADDRESS PORT N   N associations at once, a message over each; prints N
  sctp.py send ADDRESS PORT N   N messages to a count or lazy, print its answer
  sctp.py long ADDRESS PORT N   a message of N bytes to an echo: prints "same", or how it ends
  sctp.py hold ADDRESS PORT     one echo, prints "connected", then how the association ends
"""
import errno
import os
import random
import socket
import struct
import sys
import threading
import time

SCTP, INITMSG, NODELAY, RECVRCVINFO, SNDINFO, RCVINFO, UNORDERED = 132, 2, 3, 32, 2, 3, 1
MODE, ADDRESS, PORT = sys.argv[1], sys.argv[2], int(sys.argv[3])
ARGUMENT = int(sys.argv[4]) if len(sys.argv) > 4 else 0
ROOM = 1 << 20


def make(streams=10):
    s = socket.socket(socket.AF_INET6 if ":" in ADDRESS else socket.AF_INET, socket.SOCK_STREAM, SCTP)
    s.setsockopt(SCTP, INITMSG, struct.pack("HHHH", streams, streams, 0, 0))
    s.setsockopt(SCTP, RECVRCVINFO, 1)
    s.setsockopt(SCTP, NODELAY, 1)
    return s


def connect():
    s = make()
    s.settimeout(20)
    s.connect((ADDRESS, PORT))
    return s


def send(s, data, stream=0, flags=0, ppid=0):
    s.sendmsg([data], [(SCTP, SNDINFO, struct.pack("HHIII", stream, flags, ppid, 0, 0))])


def receive(s):
    """A whole message with its stream, order and protocol identifier; None at the end."""
    data, info = b"", None
    while True:
        part, control, flags, _ = s.recvmsg(ROOM, 256)
        if not part:
            return None
        data += part
        for level, kind, raw in control:
            if (level, kind) == (SCTP, RCVINFO):
                stream, _, order, ppid = struct.unpack("HHHxxI", raw[:12])
                info = (stream, order & UNORDERED, ppid)
        if flags & socket.MSG_EOR:
            return (data, *info)


def echo(s):
    while message := receive(s):
        send(s, *message)


def count(s):
    n = size = 0
    if MODE == "lazy":
        time.sleep(2)
    while message := receive(s):
        if message[0] == b"end":
            send(s, f"{n} {size}".encode())
        else:
            n, size = n + 1, size + len(message[0])


def serve(handler):
    server = make(ARGUMENT or 64)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((ADDRESS, PORT))
    server.listen(1024)

    def run(s):
        try:
            handler(s)
        except OSError:
            pass
        s.close()

    while True:
        s, _ = server.accept()
        s.settimeout(None)
        threading.Thread(target=run, args=(s,), daemon=True).start()


def same():
    rng = random.Random(6)
    s = connect()
    for size in [1, 2, 1399, 1400, 1401, 65535, 65536, 65537, 150000, *(rng.randrange(1, 5000) for _ in range(200))]:
        sent = (os.urandom(size), rng.randrange(10), rng.randrange(2), rng.randrange(1 << 32))
        send(s, *sent)
        got = receive(s)
        if got != sent:
            return f"other: {size} bytes, {sent[1:]} came back as {got and (len(got[0]), *got[1:])}"
    return "same"


def many():
    peers = [connect() for _ in range(ARGUMENT)]
    for i, s in enumerate(peers):
        send(s, str(i).encode())
    return sum(receive(s)[0] == str(i).encode() for i, s in enumerate(peers))


def fill():
    s = connect()
    for i in range(ARGUMENT):
        send(s, bytes([i % 256]) * (1 + i % 1000), 3)
    send(s, b"end", 3)
    return receive(s)[0].decode()


def long():
    s = connect()
    data = os.urandom(ARGUMENT)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * ARGUMENT)
    send(s, data)
    got = receive(s)
    return "end" if got is None else "same" if got[0] == data else "other"


def first():
    s = connect()
    send(s, b"x")
    got = receive(s)
    return "end" if got is None else got[0].decode()


def hold():
    s = connect()
    send(s, b"x")
    receive(s)
    print("connected", flush=True)
    s.settimeout(60)
    return "end" if receive(s) is None else "data"


def main():
    servers = {"echo": echo, "count": count, "lazy": count}
    if MODE in servers:
        serve(servers[MODE])
    try:
        print({"same": same, "first": first, "many": many, "send": fill, "long": long, "hold": hold}[MODE]())
    except OSError as e:
        print(errno.errorcode.get(e.errno, "timeout"))


main()
