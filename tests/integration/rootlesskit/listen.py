"""Listens in ways that count, and in ways that do not, for the tests.

  listen.py kinds FIRST         a socket a kind, on ports FIRST, FIRST + 1, ... in the order of KINDS;
                                prints "ready"
  listen.py names               prints the kinds, with their ports' order
  listen.py many ADDRESS FIRST N  answers on N ports from FIRST on with "hello"; prints "ready"
  listen.py ask ADDRESS FIRST N   connects to N ports from FIRST on; prints how many said hello, were refused
  listen.py take ADDRESS PORT   binds and listens as every server does; prints "taken" or the error
"""
import errno
import resource
import select
import signal
import socket
import sys

V4, V6, TCP, UDP = socket.AF_INET, socket.AF_INET6, socket.SOCK_STREAM, socket.SOCK_DGRAM
# name: family, type, address, what else
KINDS = {
    "tcp-any": (V4, TCP, "0.0.0.0", ""),
    "tcp-own": (V4, TCP, "127.0.0.1", ""),
    "tcp-other": (V4, TCP, "127.0.0.2", ""),
    "tcp-bound": (V4, TCP, "0.0.0.0", "silent"),
    "tcp-dual": (V6, TCP, "::", ""),
    "tcp-v6only": (V6, TCP, "::", "v6only"),
    "tcp-mapped": (V6, TCP, "::ffff:127.0.0.1", ""),
    "tcp-v6": (V6, TCP, "::1", ""),
    "tcp-lo": (V4, TCP, "0.0.0.0", "lo"),
    "tcp-tap0": (V4, TCP, "0.0.0.0", "tap0"),
    "tcp-child": (V4, TCP, "10.0.2.100", ""),
    "udp-any": (V4, UDP, "0.0.0.0", ""),
    "udp-connected": (V4, UDP, "127.0.0.1", "connected"),
    "udp-dual": (V6, UDP, "::", ""),
    "udp-v6only": (V6, UDP, "::", "v6only"),
}


def make(kind, port):
    family, sort, address, more = KINDS[kind]
    s = socket.socket(family, sort)
    if family == V6:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, more == "v6only")
    if more in ("lo", "tap0"):
        s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, more.encode())
    s.bind((address, port))
    if more == "connected":
        s.connect(("127.0.0.1", 9))
    if sort == TCP and more != "silent":
        s.listen()
    return s


def kinds(first):
    held = [make(kind, first + i) for i, kind in enumerate(KINDS)]
    print("ready", flush=True)
    signal.pause()
    return held


def many(address, first, n):
    poll, sockets = select.epoll(), {}
    for port in range(first, first + n):
        s = socket.create_server((address, port), backlog=16)
        sockets[s.fileno()] = s
        poll.register(s.fileno(), select.EPOLLIN)
    print("ready", flush=True)
    while True:
        for fd, _ in poll.poll():
            connection, _ = sockets[fd].accept()
            connection.sendall(b"hello")
            connection.close()


def ask(address, first, n):
    said = refused = 0
    for port in range(first, first + n):
        try:
            with socket.create_connection((address, port), timeout=10) as s:
                said += s.recv(10) == b"hello"
        except ConnectionRefusedError:
            refused += 1
        except ConnectionResetError:
            pass
    print(said, refused)


def take(address, port):
    try:
        s = socket.socket(V6 if ":" in address else V4)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((address, port))
        s.listen()
        print("taken")
    except OSError as e:
        print(errno.errorcode[e.errno])


def main():
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    words = sys.argv[2:]
    if sys.argv[1] == "names":
        print(*KINDS)
    elif sys.argv[1] == "kinds":
        kinds(int(words[0]))
    elif sys.argv[1] == "take":
        take(words[0], int(words[1]))
    else:
        {"many": many, "ask": ask}[sys.argv[1]](words[0], int(words[1]), int(words[2]))


main()
