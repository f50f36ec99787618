"""Peers of the outbound traffic's test.

  outbound.py serve ADDRESS,... PORT        serve UDP on each: "who" is answered with the asker's address and
                                            port, "from N" by the Nth socket, "size" with the sizes the kernel
                                            joined (UDP_GRO), anything else comes back
  outbound.py same ADDRESS,... PORT         one socket asks each who it is; prints "same" or what they said
  outbound.py unasked ADDRESS PORT N        who answers when the server's Nth socket is told to
  outbound.py ask ADDRESS PORT SIZE [N]     N connected datagrams there and back, each tried for some seconds;
                                            prints "same" or why not
  outbound.py error ADDRESS PORT            what a connected socket is told: the errno's name
  outbound.py report ADDRESS PORT HOPS      the same from its error queue, and who reported it
  outbound.py once ADDRESS PORT             one datagram, and nobody waits for an answer
  outbound.py knock ADDRESS PORT            waits for one datagram, says "heard", then answers its sender until
                                            it is told why not; prints the errno's name
  outbound.py talk ADDRESS PORT N           N numbered datagrams, up to 16 under way, each to come back once;
                                            prints "same" or what is missing
  outbound.py gso ADDRESS PORT SIZE COUNT   COUNT datagrams of SIZE in one call (UDP_SEGMENT); prints "same"
  outbound.py flood ADDRESS PORT N          one datagram from each of N ports, and one to each of N ports
  outbound.py plain LINK                    has the kernel finish each packet before LINK gets it, as for a simple
                                            network card: far ends of a veth would see unfinished ones
  outbound.py pings ADDRESS N               an echo request of each of N ids; prints how many were answered
  outbound.py ping ADDRESS TOS              an echo request with that type of service; prints its reply's
  outbound.py syns ADDRESS PORT             serve TCP: say the type of service that a connection's SYN came with
  outbound.py dial ADDRESS PORT TOS         a TCP connection with that type of service; prints what the server says
"""
import ctypes
import errno
import fcntl
import os
import select
import socket
import struct
import sys
import time

UDP_SEGMENT, UDP_GRO = 103, 104
IP_RECVERR, IPV6_RECVERR = 11, 25
IPV6_RECVTCLASS, IPV6_TCLASS = 66, 67
TCP_SAVE_SYN, TCP_SAVED_SYN = 27, 28
MODE, ADDRESSES, ARGS = sys.argv[1], sys.argv[2].split(","), [int(a) for a in sys.argv[3:]]
ADDRESS = ADDRESSES[0]
PATIENCE = 10


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def client(timeout=1.0):
    s = socket.socket(family(ADDRESS), socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    s.settimeout(timeout)
    return s


def name(e):
    return errno.errorcode.get(e.errno, str(e))


def serve(port):
    sockets, sizes = [], {}
    for address in ADDRESSES:
        s = socket.socket(family(address), socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        s.setsockopt(socket.IPPROTO_UDP, UDP_GRO, 1)
        s.bind((address, port))
        sockets.append(s)
    while True:
        for s in select.select(sockets, [], [])[0]:
            data, control, _, peer = s.recvmsg(65536, 64)
            segment = next((struct.unpack("i", c[:4])[0] for _, kind, c in control if kind == UDP_GRO), len(data))
            sizes[peer] = max(sizes.get(peer, 0), len(data))
            if data == b"who":
                s.sendto(f"{peer[0]} {peer[1]}".encode(), peer)
            elif data.startswith(b"from "):
                sockets[int(data[5:])].sendto(b"here", peer)
            elif data == b"size":
                s.sendto(str(sizes[peer]).encode(), peer)
            else:
                for first in range(0, max(len(data), 1), max(segment, 1)):
                    s.sendto(data[first:first + segment], peer)


def retry(s, data, to, good):
    """Sends until something that is good comes: UDP may lose, and the first must find a neighbour."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            s.sendto(data, to) if to else s.send(data)
            answer, peer = s.recvfrom(65536)
            if good(answer):
                return answer, peer
        except TimeoutError:
            pass
        except OSError as e:  # a connected socket is told once that its datagrams are cut on their way
            if e.errno != errno.EMSGSIZE:
                raise
    return b"silence", None


def same(port):
    with client() as s:
        said = {retry(s, b"who", (a, port), lambda x: True)[0].decode() for a in ADDRESSES}
    print("same" if len(said) == 1 and "silence" not in said else said)


def unasked(port, n):
    with client() as s:
        answer, peer = retry(s, b"from %d" % n, (ADDRESS, port), lambda x: x == b"here")
        print(peer[0] if peer else answer.decode())


def ask(port, size, n=1):
    with client() as s:
        s.connect((ADDRESS, port))
        try:
            for _ in range(n):
                data = os.urandom(size)
                answer, _ = retry(s, data, None, data.__eq__)
                if answer != data:
                    print(answer[:40])
                    return
            print("same")
        except OSError as e:
            print(name(e))


def offender(s):
    """Of the error queue's first message: who reported it."""
    wanted = (socket.IPPROTO_IPV6, IPV6_RECVERR) if s.family == socket.AF_INET6 else (socket.IPPROTO_IP, IP_RECVERR)
    for level, kind, data in s.recvmsg(1, 512, socket.MSG_ERRQUEUE)[1]:
        if (level, kind) == wanted:  # a struct sock_extended_err of 16 bytes, then an address
            return socket.inet_ntop(s.family, data[24:40] if s.family == socket.AF_INET6 else data[20:24])
    return "nobody"


def error(port):
    with client() as s:
        s.connect((ADDRESS, port))
        try:
            print(retry(s, b"x", None, lambda x: True)[0].decode())
        except OSError as e:
            print(name(e))


def report(port, hops):
    v6 = family(ADDRESS) == socket.AF_INET6
    level = socket.IPPROTO_IPV6 if v6 else socket.IPPROTO_IP
    with client() as s:
        s.setsockopt(level, socket.IPV6_UNICAST_HOPS if v6 else socket.IP_TTL, hops)
        s.setsockopt(level, IPV6_RECVERR if v6 else IP_RECVERR, 1)
        s.connect((ADDRESS, port))
        try:
            print(retry(s, b"x", None, lambda x: True)[0].decode())
        except OSError as e:
            print(name(e), offender(s))


def once(port):
    with client() as s:
        s.sendto(b"x", (ADDRESS, port))


def knock(port):
    with client(PATIENCE) as s:
        s.bind((ADDRESS, port))
        peer = s.recvfrom(100)[1]
        print("heard", flush=True)
        s.connect(peer)
        s.settimeout(0.1)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                s.send(b"x")
                s.recv(100)
            except TimeoutError:
                pass
            except OSError as e:
                print(name(e))
                return
        print("silence")


def talk(port, n):
    missing, sent = set(), 0
    with client(0.5) as s:
        s.connect((ADDRESS, port))
        retry(s, b"hello", None, b"hello".__eq__)
        while sent < n or missing:
            while sent < n and len(missing) < 16:
                missing.add(b"%d" % sent + bytes(sent % 1200))
                s.send(b"%d" % sent + bytes(sent % 1200))
                sent += 1
            try:
                missing.remove(s.recv(65536))
            except TimeoutError:
                break
            except KeyError as e:
                print("not asked for:", str(e)[:40])
                return
    print("same" if not missing else f"missing: {len(missing)}")


def gso(port, size, count):
    datagrams = [b"%08d" % i + bytes(size - 8) for i in range(count)]
    with client() as s:
        s.connect((ADDRESS, port))
        retry(s, b"who", None, lambda x: True)
        s.sendmsg([b"".join(datagrams)], [(socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("H", size))])
        got = []
        try:
            while len(got) < count:
                got.append(s.recv(65536))
        except TimeoutError:
            pass
        largest = int(retry(s, b"size", None, bytes.isdigit)[0])
    print("same" if got == datagrams else len(got), "joined" if largest > size else "apart")


def flood(port, n):
    for i in range(n):
        with client() as s:
            s.sendto(b"x", (ADDRESS, port))
    with client() as s:
        for i in range(n):
            try:
                s.sendto(b"x", (ADDRESS, 1024 + i % 60000))
            except OSError:
                pass
    print("done")


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF


def set_tos(s, tos):
    if s.family == socket.AF_INET6:
        s.setsockopt(socket.IPPROTO_IPV6, IPV6_TCLASS, tos)
    else:
        s.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tos)


def echo_v4(s, rest):
    s.sendto(struct.pack("!BBH", 8, 0, checksum(b"\x08\0\0\0" + rest)) + rest, (ADDRESS, 0))
    while True:  # it sees whatever ICMP there is
        data = s.recv(200)
        if data[20] == 0 and data[24:] == rest:
            return data[1]


def echo_v6(s, rest):
    s.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVTCLASS, 1)
    s.sendto(struct.pack("!BBH", 128, 0, 0) + rest, (ADDRESS, 0))
    while True:
        data, control, _, _ = s.recvmsg(200, 64)
        if data[0] == 129 and data[4:] == rest:
            return next(struct.unpack("i", c)[0] for _, kind, c in control if kind == IPV6_TCLASS)


def echo(ident, tos=0):
    """The type of service of the reply, None without one."""
    v6 = family(ADDRESS) == socket.AF_INET6
    with socket.socket(family(ADDRESS), socket.SOCK_RAW, socket.IPPROTO_ICMPV6 if v6 else socket.IPPROTO_ICMP) as s:
        s.settimeout(2)
        set_tos(s, tos)
        try:
            return (echo_v6 if v6 else echo_v4)(s, struct.pack("!HH", ident, 1) + os.urandom(32))
        except TimeoutError:
            return None


def pings(n):
    print(sum(echo(i) is not None for i in range(n)))


def ping(tos):
    print(echo(os.getpid() & 0xFFFF, tos))


def syns(port):
    with socket.socket(family(ADDRESS)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_TCP, TCP_SAVE_SYN, 1)
        listener.bind((ADDRESS, port))
        listener.listen()
        while True:
            with listener.accept()[0] as s:
                first = struct.unpack("!H", s.getsockopt(socket.IPPROTO_TCP, TCP_SAVED_SYN, 120)[:2])[0]
                s.sendall(b"%d" % (first & 0xFF if first >> 12 == 4 else first >> 4 & 0xFF))


def dial(port, tos):
    with socket.socket(family(ADDRESS)) as s:
        s.settimeout(PATIENCE)
        set_tos(s, tos)
        s.connect((ADDRESS, port))
        print(s.recv(100).decode())


def plain():
    ethtool, tx_checksum = 0x8946, 0x17  # SIOCETHTOOL, ETHTOOL_STXCSUM
    value = struct.pack("II", tx_checksum, 0)
    with client() as s:
        buffer = bytearray(value)
        address = (ctypes.c_char * len(buffer)).from_buffer(buffer)
        fcntl.ioctl(s, ethtool, struct.pack("16sP16x", ADDRESS.encode(), ctypes.addressof(address)))


if MODE == "serve":
    serve(*ARGS)
else:
    {"same": same, "unasked": unasked, "ask": ask, "error": error, "report": report, "once": once, "knock": knock,
     "talk": talk, "gso": gso, "flood": flood, "plain": plain, "pings": pings, "ping": ping, "syns": syns, "dial": dial}[MODE](*ARGS)
