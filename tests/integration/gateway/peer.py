"""Both ends of TCP connections, for what only sockets show.

  peer.py serve PORT                   serve every CASE, on all addresses
  peer.py CASE ADDRESS PORT [LOCAL_PORT [LOCAL_ADDRESS]]  the client; prints what it saw, and what the
                                       server says it saw
  peer.py open ADDRESS PORT SECONDS    connect alone: "open", the name of the error, or "silence" when
                                       nothing came for SECONDS
  peer.py syns ADDRESS PORT N          the same with N SYNs to a connection, until TCP itself gives up
  peer.py reuse ADDRESS PORT N         N times from port 40123, each ended by the client, who is so the one
                                       in TIME_WAIT; prints how many worked
  peer.py idle ADDRESS PORT N          N connections to tcp.py's echo at once; says "idle", and at a line
                                       on standard input uses every one; prints how many answered
  peer.py flood ADDRESS PORT N         begins N connections, waits for none, keeps them until its input ends
  peer.py line PORT                    a connection that is asked at every line of standard input: "same",
                                       or the name of the error

The client begins with a line, CASE and a token; a second connection asks what became of the first.
"""
import errno
import hashlib
import selectors
import socket
import struct
import sys
import threading
import time

MIB = hashlib.sha256(b"block").digest() * 32768
RESULTS = {}


def name_of(error):
    return "silence" if isinstance(error, TimeoutError) and error.errno is None \
        else errno.errorcode.get(error.errno, str(error))


def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def drain(s):
    """Bytes and digest up to the end, or the error's name."""
    digest, n = hashlib.sha256(), 0
    try:
        while data := s.recv(1 << 18):
            digest.update(data)
            n += len(data)
    except OSError as error:
        return name_of(error)
    return f"{n} {digest.hexdigest()[:8]}"


def told(s, text):
    s.sendall(text.encode())
    s.close()


class Server:
    """What the server does in each case; the result is what it saw."""

    @staticmethod
    def half_client(s):  # the client ends first, our answer comes after
        seen = drain(s)
        for _ in range(4):
            s.sendall(MIB)
            time.sleep(0.05)
        s.shutdown(socket.SHUT_WR)
        return seen

    @staticmethod
    def half_server(s):  # we end first, and go on reading
        s.sendall(b"x")
        s.shutdown(socket.SHUT_WR)
        return drain(s)

    @staticmethod
    def reset_by_server(s):
        s.recv(1)
        reset(s)
        return "reset"

    @staticmethod
    def reset_half_open(s):  # the client has ended, and waits for an answer
        drain(s)
        reset(s)
        return "reset"

    @staticmethod
    def reset_in_bulk(s):  # a client that sends without end
        for _ in range(64):
            s.recv(1 << 18)
        reset(s)
        return "reset"

    @staticmethod
    def reset_by_client(s):
        s.sendall(b"x")
        return drain(s)

    @staticmethod
    def urgent(s):
        s.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
        s.sendall(b"x")
        seen = drain(s)
        s.sendall(b"abc")
        s.send(b"!", socket.MSG_OOB)
        s.sendall(b"def")
        return seen

    @staticmethod
    def urgent_bulk(s):
        s.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
        s.sendall(b"x")
        seen = drain(s)
        send_urgent_bulk(s)
        return seen

    @staticmethod
    def urgent_wait(s):  # nothing follows the urgent bytes until they are answered
        s.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
        for _ in range(16):
            n = take(s, 4 * len(MIB) + 2)
            s.sendall(b"y")
        return n

    @staticmethod
    def together(s):  # both ends close at the same moment
        at = time.time() + 0.02
        s.sendall(struct.pack("d", at))
        time.sleep(max(0, at - time.time()))
        s.shutdown(socket.SHUT_WR)
        return drain(s)

    @staticmethod
    def echo(s):
        while data := s.recv(1 << 16):
            s.sendall(data)
        return "end"

    @staticmethod
    def slow(s):  # reads nothing for a while, then all of it
        time.sleep(1)
        return drain(s)


def take(s, n):
    seen = 0
    while seen < n:
        data = s.recv(min(n - seen, 1 << 18))
        if not data:
            break
        seen += len(data)
    return seen


def send_urgent_bulk(s):
    for _ in range(8):
        s.sendall(MIB)
        s.send(b"!", socket.MSG_OOB)
        s.sendall(MIB)


def handle(s):
    s.settimeout(60)
    line = b""
    while not line.endswith(b"\n"):
        more = s.recv(1)
        if not more:
            return
        line += more
    case, token = line.decode().split()
    if case == "result":
        result, done = RESULTS.setdefault(token, [None, threading.Event()]), None
        done = result[1].wait(20)
        told(s, str(result[0]) if done else "nothing")
        return
    entry = RESULTS.setdefault(token, [None, threading.Event()])
    try:
        entry[0] = getattr(Server, case)(s)
    except OSError as error:
        entry[0] = name_of(error)
    entry[1].set()
    s.close()


def serve(port):
    server = socket.create_server(("::", port), family=socket.AF_INET6, backlog=4096, dualstack_ipv6=True) \
        if socket.has_dualstack_ipv6() else socket.create_server(("0.0.0.0", port), backlog=4096)
    while True:
        s, _ = server.accept()
        threading.Thread(target=handle, args=(s,), daemon=True).start()


def connect(case, token, local=None):
    family = socket.AF_INET6 if ":" in ADDRESS else socket.AF_INET
    s = socket.socket(family)
    s.settimeout(60)
    if local:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(local)
    s.connect((ADDRESS, PORT))
    s.sendall(f"{case} {token}\n".encode())
    return s


class Client:
    """The client's part; the result is what it saw."""

    @staticmethod
    def half_client(s):
        for _ in range(4):
            s.sendall(MIB)
        s.shutdown(socket.SHUT_WR)
        return drain(s)

    @staticmethod
    def half_server(s):
        seen = drain(s)
        for _ in range(4):
            s.sendall(MIB)
            time.sleep(0.05)
        s.shutdown(socket.SHUT_WR)
        return seen

    @staticmethod
    def reset_by_server(s):
        s.sendall(b"x")
        return drain(s)

    @staticmethod
    def reset_half_open(s):
        s.sendall(b"x")
        s.shutdown(socket.SHUT_WR)
        return drain(s)

    @staticmethod
    def reset_in_bulk(s):
        try:
            while True:
                s.sendall(MIB)
        except OSError as error:
            return name_of(error)

    @staticmethod
    def reset_by_client(s):
        s.recv(1)
        reset(s)
        return "reset"

    @staticmethod
    def urgent(s):
        s.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
        s.recv(1)
        s.sendall(b"abc")
        s.send(b"!", socket.MSG_OOB)
        s.sendall(b"def")
        s.shutdown(socket.SHUT_WR)
        return drain(s)

    @staticmethod
    def urgent_bulk(s):
        s.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
        s.recv(1)
        send_urgent_bulk(s)
        s.shutdown(socket.SHUT_WR)
        return drain(s)

    @staticmethod
    def urgent_wait(s):
        for _ in range(16):
            s.sendall(MIB * 4)
            s.send(b"!", socket.MSG_OOB)
            s.sendall(b".")
            seen = s.recv(1).decode()
        return seen

    @staticmethod
    def together(s):
        at = struct.unpack("d", s.recv(8, socket.MSG_WAITALL))[0]
        time.sleep(max(0, at - time.time()))
        s.shutdown(socket.SHUT_WR)
        return drain(s)

    @staticmethod
    def echo(s):  # two bytes, with the kernel's probes between them
        s.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 1)
        s.sendall(b"a")
        seen = s.recv(1)
        time.sleep(1.5)
        s.sendall(b"b")
        return (seen + s.recv(1)).decode()

    @staticmethod
    def slow(s):
        for _ in range(32):
            s.sendall(MIB)
        s.shutdown(socket.SHUT_WR)
        return drain(s)


def run(case, port=0, address=""):
    token = f"{time.time_ns():x}"
    try:
        with connect(case, token, (address, int(port)) if port or address else None) as s:
            seen = getattr(Client, case)(s)
        with connect("result", token) as s:
            print(f"{seen}, {s.recv(100).decode()}")
    except OSError as error:
        print(name_of(error))


def try_open(seconds, syns=None):
    s = socket.socket(socket.AF_INET6 if ":" in ADDRESS else socket.AF_INET)
    s.settimeout(seconds)
    if syns:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, syns)
    try:
        s.connect((ADDRESS, PORT))
        print("open")
    except OSError as error:
        print(name_of(error))


def reuse(n):
    good = 0
    for _ in range(n):
        for _ in range(100):  # a second must have passed (tcp_tw_reuse)
            try:
                s = connect("half_client", f"reuse{time.time_ns():x}", ("", 40123))
                break
            except OSError as error:
                if error.errno != errno.EADDRNOTAVAIL:
                    raise
                time.sleep(0.05)
        s.shutdown(socket.SHUT_WR)
        good += drain(s).startswith(f"{4 * len(MIB)} ")
        s.close()
    print(good)


def begin(n):
    family = socket.AF_INET6 if ":" in ADDRESS else socket.AF_INET
    for _ in range(n):
        s = socket.socket(family)
        s.setblocking(False)
        s.connect_ex((ADDRESS, PORT))
        yield s


def idle(n):
    waiting = selectors.DefaultSelector()
    held = []
    for s in begin(n):
        waiting.register(s, selectors.EVENT_WRITE)
        held.append(s)
        while len(waiting.get_map()) > (200 if len(held) < n else 0):
            for key, _ in waiting.select(30):
                waiting.unregister(key.fileobj)
    print("idle", flush=True)
    sys.stdin.readline()
    good = 0
    for i, s in enumerate(held):
        s.setblocking(True)
        s.settimeout(30)
        text = b"%08d" % i
        s.sendall(text)
        good += s.recv(8, socket.MSG_WAITALL) == text
    print(good, flush=True)


def flood(n):
    held = list(begin(n))
    print(len(held), flush=True)
    sys.stdin.read()


def ask_at_every_line():
    s = connect("echo", f"{time.time_ns():x}")
    print("open", flush=True)
    for line in sys.stdin:
        try:
            s.sendall(line.encode())
            print("same" if s.recv(99).decode() == line else "other", flush=True)
        except OSError as error:
            print(name_of(error), flush=True)


CASE = sys.argv[1]
if CASE == "serve":
    serve(int(sys.argv[2]))
    sys.exit()
ADDRESS, PORT = sys.argv[2], int(sys.argv[3])
if CASE == "open":
    try_open(float(sys.argv[4]))
elif CASE == "syns":
    try_open(None, int(sys.argv[4]))
elif CASE == "reuse":
    reuse(int(sys.argv[4]))
elif CASE == "idle":
    idle(int(sys.argv[4]))
elif CASE == "flood":
    flood(int(sys.argv[4]))
elif CASE == "line":
    ask_at_every_line()
else:
    run(CASE, *sys.argv[4:])
