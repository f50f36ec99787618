"""Peers of uidmapd that no honest client is. Prints what the broker answers, one line a connection.

peer.py raw SIZE FDS [PID]    a message of SIZE bytes of 0xff, FDS times the fd of /proc/PID beside
peer.py hello N               N connections that say nothing, held until the broker ends them
peer.py linger N              N connections whose unread messages hold a TCP socket that close(2) waits for;
                              the broker must not look before "sent", else it is us who wait
peer.py many N OUTSIDE PID...  N well-formed requests "0 OUTSIDE 1" at once, for one PID after the other
peer.py flood FILE PID        64 requests for PID at once, again and again until there is FILE
"""
import array
import os
import socket
import struct
import sys

SIZE = 12 + 340 * 12


def connect():
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.settimeout(100)
    s.connect("/run/uidmapd/sock")
    return s


def rights(fds):
    return [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []


def answer(s):
    for _ in range(2):  # the news of a reset comes before the message
        try:
            data = s.recv(65536)
        except (ConnectionResetError, BrokenPipeError):
            continue
        if not data:
            return "end"
        code, = struct.unpack_from("i", data)
        return f"{code} {data[4:].split(bytes(1))[0].decode()}"
    return "reset"


def request(outside):
    return struct.pack("<6I", 1, 0, 1, 0, outside, 1).ljust(SIZE, b"\0")


def open_target(pid):
    """A pid, the path of a directory, or "fd:N" for one that is open."""
    if pid.startswith("fd:"):
        return int(pid[3:])
    return os.open(pid if "/" in pid else f"/proc/{pid}", os.O_PATH | os.O_DIRECTORY)


def send(s, message, fds):
    try:
        s.sendmsg([message], rights(fds))
    except (ConnectionResetError, BrokenPipeError):
        pass  # refused already; the answer says why


def raw(size, fds, pid="self"):
    s = connect()
    send(s, b"\xff" * int(size), [open_target(pid)] * int(fds))
    print(answer(s))


def hello(n):
    for s in [connect() for _ in range(int(n))]:
        print(answer(s))


def lingering(server):
    c = socket.create_connection(server.getsockname())
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 3600))
    c.setblocking(False)
    try:
        while True:
            c.send(b"x" * 65536)  # nobody reads it
    except BlockingIOError:
        return c


def linger(n):
    server = socket.create_server(("127.0.0.1", 0))
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    kept = []
    for i in range(int(n)):
        held, s = lingering(server), connect()
        # Either the broker's request is bad, with the socket in a second message that nobody
        # reads, or the socket is among the fds of the only one.
        if i % 2:
            send(s, b"bad", [])
        send(s, b"bad", [held.fileno()] * (1 + 3 * i % 20))
        held.close()
        kept.append(s)
    print("sent", flush=True)
    for s in kept:
        print(answer(s))


def many(n, outside, *pids):
    fds, message = [open_target(pid) for pid in pids], request(int(outside))
    waiting = [connect() for _ in range(int(n))]
    for i, s in enumerate(waiting):
        send(s, message, [fds[i % len(fds)]])
    for s in waiting:
        print(answer(s))


def flood(stop, pid):
    fd, message, n = open_target(pid), request(1), 0
    print("flooding", flush=True)
    while not os.path.exists(stop):
        waiting = [connect() for _ in range(64)]
        for s in waiting:
            send(s, message, [fd])
        n += sum(bool(answer(s)) for s in waiting)
        for s in waiting:
            s.close()
    print(n)


{f.__name__: f for f in (raw, hello, linger, many, flood)}[sys.argv[1]](*sys.argv[2:])
