"""Services for the tests of --port-handover.

  handover.py serve KIND PORT        tells each client "AF_... CLIENT-ADDRESS" and closes; KIND: v4, dual, v6only, mapped,
                                     and with -thread behind it: another thread than the first one listens
  handover.py options PORT           listens with options of its own; prints those that are left then
  handover.py fork PORT N            listens, then N processes tell their number to a client each, for ever
  handover.py share PORT N           the same by N sockets with SO_REUSEPORT
  handover.py two PORT               a socket of both families and one of IPv4, which share the port; each time that stdin
                                     has a line the first of them that is left is closed
  handover.py respawn PORT N         the first of N sockets with SO_REUSEPORT stays, the others come and go one by one
  handover.py again PORT N           listens and closes N times; prints how often a client got through
  handover.py escape PORT TO         listens; its socket and one that it accepted try to connect to TO (IP:PORT);
                                     prints what came of both
"""
import ctypes
import fcntl
import os
import signal
import socket
import struct
import sys
import threading

MODE, REST = sys.argv[1], sys.argv[2:]
ADDRESSES = {"v4": "0.0.0.0", "dual": "::", "v6only": "::", "mapped": "::ffff:0.0.0.0"}


def bound(kind, port, share=False):
    s = socket.socket(socket.AF_INET if kind == "v4" else socket.AF_INET6)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, share)
    if kind != "v4":
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, kind == "v6only")
    s.bind((ADDRESSES[kind], int(port)))
    return s


def serve(kind, port):
    kind, _, thread = kind.partition("-")
    s = bound(kind, port)
    if thread:
        t = threading.Thread(target=s.listen)
        t.start()
        t.join()
    else:
        s.listen()
    while True:
        c, peer = s.accept()
        c.recv(1)
        c.sendall(f"{c.family.name} {peer[0]}".encode())
        c.close()


def options(port):
    s = bound("v4", port)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 5000)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 7))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 77)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 3)
    s.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0x10)
    s.setblocking(False)
    os.set_inheritable(s.fileno(), True)
    before = ask(s)
    s.listen()
    print("same" if ask(s) == before else f"{before} -> {ask(s)}", s.getsockname()[1], flush=True)


def ask(s):
    return [s.getsockopt(*what) for what in (
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE), (socket.SOL_SOCKET, socket.SO_RCVBUF),
        (socket.SOL_SOCKET, socket.SO_LINGER, 8), (socket.IPPROTO_TCP, socket.TCP_NODELAY),
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE), (socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT),
        (socket.IPPROTO_IP, socket.IP_TOS))] + [fcntl.fcntl(s, fcntl.F_GETFL), fcntl.fcntl(s, fcntl.F_GETFD)]


def answer(s, number):
    while True:
        c, _ = s.accept()
        c.recv(1)
        c.sendall(str(number).encode())
        c.close()


def fork(port, n):
    s = bound("v4", port)
    s.listen()
    for i in range(int(n)):
        if os.fork() == 0:
            answer(s, i)
    s.close()
    signal_wait()


def signal_wait():
    while True:
        os.wait()


def share(port, n):
    for i in range(int(n)):
        if os.fork() == 0:
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as for TIME_WAIT
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            s.bind(("0.0.0.0", int(port)))
            s.listen()
            answer(s, i)
    signal_wait()


def two(port):
    left = [bound(kind, port, share=True) for kind in ("dual", "v4")]
    for s in left:
        s.listen()
        threading.Thread(target=answer, args=(s, s.family.name), daemon=True).start()
    for _ in sys.stdin:
        left.pop(0).shutdown(socket.SHUT_RDWR)
        if not left:
            return


def respawn(port, n):
    for i in range(int(n)):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        s.bind(("0.0.0.0", int(port)))
        s.listen()
        if i == 0:
            threading.Thread(target=answer, args=(s, "hello"), daemon=True).start()
        else:
            s.close()
    print("listens", flush=True)
    signal.pause()


def again(port, n):
    for _ in range(int(n)):
        s = bound("v4", port)
        s.listen()
        s.close()
    s = bound("v4", port)
    s.listen()
    print("listens", flush=True)
    answer(s, "hello")


def attempt(s, to):
    nothing = struct.pack("H14x", socket.AF_UNSPEC)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.connect(s.fileno(), nothing, len(nothing)) < 0:
        return f"not disconnected: {os.strerror(ctypes.get_errno())}"
    s.settimeout(3)
    try:
        s.connect(to)
    except OSError as e:
        return f"kept in ({type(e).__name__})"
    return "out"


def escape(port, to):
    ip, _, to_port = to.rpartition(":")
    s = bound("v4", port)
    s.listen()
    print("listens", flush=True)
    c, _ = s.accept()
    c.recv(1)
    print(attempt(c, (ip, int(to_port))), flush=True)
    print(attempt(s, (ip, int(to_port))), flush=True)


globals()[MODE](*REST)
