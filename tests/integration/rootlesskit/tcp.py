"""TCP peers for the tests.

  tcp.py echo ADDRESS PORT         serve: send back what comes, close when the peer does
  tcp.py sum ADDRESS PORT          serve: read to the end, then answer with the SHA-256 of it
  tcp.py hello ADDRESS PORT        serve: say "hello" after the first bytes and close
  tcp.py rst ADDRESS PORT          serve: reset every connection after its first bytes
  tcp.py who ADDRESS PORT          serve: say the client's address after its first bytes and close
  tcp.py deaf ADDRESS PORT         serve: never read
  tcp.py send ADDRESS PORT MIB     send MIB MiB, half-close, print "same" if the answer is their sum
  tcp.py many ADDRESS PORT N       N connections open at once, then one echo over each; prints N
  tcp.py hold ADDRESS PORT         one echo, prints "connected", then how the connection ends
  tcp.py talk ADDRESS PORT         send the lines of stdin one by one, print each answer, and at last how it ends
  tcp.py storm ADDRESS PORT N      begin N connections, wait for none, drop them
  tcp.py stuff ADDRESS PORT N      N connections, into each as much as it takes; prints "stuck", stays until stdin ends
  tcp.py kinds ADDRESS PORT N      N connections one after the other; prints every answer or error that there was
  tcp.py cut ADDRESS PORT N        N connections, one after the other, each reset after its first bytes; prints N
  tcp.py short ADDRESS PORT N [TEXT]  N connections one after the other; prints how many said TEXT (hello)
  tcp.py reuse ADDRESS PORT N [TEXT]  the same, all from one local port
  tcp.py first ADDRESS PORT        connect and read: prints what came, or the name of the error
  tcp.py from ADDRESS PORT LOCAL [LOCAL_PORT]  the same from that address
"""
import asyncio
import errno
import hashlib
import socket
import struct
import sys
import time

MODE, ADDRESS, PORT = sys.argv[1], sys.argv[2], int(sys.argv[3])
STAY = []


async def echo(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def sum_up(reader, writer):
    digest = hashlib.sha256()
    while data := await reader.read(1 << 20):
        digest.update(data)
    writer.write(digest.hexdigest().encode())
    await writer.drain()
    writer.close()


async def hello(reader, writer):
    await reader.read(1)
    writer.write(b"hello")
    await writer.drain()
    writer.close()


async def who(reader, writer):
    await reader.read(1)
    writer.write(writer.get_extra_info("peername")[0].encode())
    await writer.drain()
    writer.close()


async def rst(reader, writer):
    await reader.read(1)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.close()


async def serve(handler):
    server = await asyncio.start_server(handler, ADDRESS, PORT, backlog=4096, limit=1 << 20)
    await server.serve_forever()


def send(mib):
    digest = hashlib.sha256()
    with socket.create_connection((ADDRESS, PORT), timeout=60) as s:
        for i in range(mib):
            block = hashlib.sha256(bytes([i % 256])).digest() * 32768
            digest.update(block)
            s.sendall(block)
        s.shutdown(socket.SHUT_WR)
        answer = b""
        while data := s.recv(100):
            answer += data
    print("same" if answer.decode() == digest.hexdigest() else f"other: {answer!r}")


async def many(n):
    gate = asyncio.Semaphore(200)

    async def connect():
        async with gate:
            return await asyncio.open_connection(ADDRESS, PORT)

    pairs = await asyncio.gather(*(connect() for _ in range(n)))
    good = 0
    for i, (reader, writer) in enumerate(pairs):
        text = b"%08d" % i
        writer.write(text)
        good += await asyncio.wait_for(reader.readexactly(8), 30) == text
    for _, writer in pairs:
        writer.close()
    print(good)


def hold():
    with socket.create_connection((ADDRESS, PORT), timeout=20) as s:
        s.sendall(b"x")
        s.recv(1)
        print("connected", flush=True)
        s.settimeout(50)  # longer than a port is drained
        try:
            print("end" if s.recv(1) == b"" else "data")
        except ConnectionResetError:
            print("reset")


def talk():
    with socket.create_connection((ADDRESS, PORT), timeout=60) as s:
        try:
            for line in sys.stdin:
                s.sendall(line.encode())
                print(s.recv(1000).decode().strip() or "end", flush=True)
            s.shutdown(socket.SHUT_WR)
            print("end" if s.recv(1) == b"" else "data")
        except (ConnectionResetError, BrokenPipeError):
            print("reset")


def storm(n):
    held = []
    for _ in range(n):
        s = socket.socket()
        s.setblocking(False)
        s.connect_ex((ADDRESS, PORT))
        held.append(s)


def stuff(n):
    held = []
    for _ in range(n):
        s = socket.create_connection((ADDRESS, PORT), timeout=20)
        s.setblocking(False)
        held.append(s)
    # What one end of the way takes makes room for more: as long as anything goes on.
    while any([fill(s) for s in held]):
        time.sleep(0.3)
    print("stuck", flush=True)
    sys.stdin.read()


def fill(s):
    sent = 0
    try:
        while True:
            sent += s.send(bytes(1 << 16))
    except BlockingIOError:
        return sent


def kinds(n):
    seen = set()
    for _ in range(n):
        seen.add(answer())
    print(*sorted(seen))


def cut(n):
    for _ in range(n):
        with socket.create_connection((ADDRESS, PORT), timeout=20) as s:
            s.sendall(b"x")
            s.recv(1)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    print(n)


def short(n, text, local=None):
    good = 0
    for _ in range(n):
        with socket.socket(socket.AF_INET6 if ":" in ADDRESS else socket.AF_INET) as s:
            s.settimeout(10)
            if local:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.bind(local)
            s.connect((ADDRESS, PORT))
            s.sendall(b"x")
            good += s.recv(99) == text.encode()
            while s.recv(99):
                pass
    print(good)


def answer(local=None):
    try:
        with socket.create_connection((ADDRESS, PORT), 10, local) as s:
            s.sendall(b"x")
            return s.recv(100).decode() or "end"
    except OSError as e:
        return errno.errorcode.get(e.errno, str(e))


async def deaf(_reader, writer):
    writer.transport.pause_reading()
    # Nothing else holds what neither reads nor is woken: it would be collected, and the connection reset.
    STAY.append(writer)
    await asyncio.Event().wait()


if MODE == "send":
    send(int(sys.argv[4]))
elif MODE == "many":
    asyncio.run(many(int(sys.argv[4])))
elif MODE == "hold":
    hold()
elif MODE == "talk":
    talk()
elif MODE == "storm":
    storm(int(sys.argv[4]))
elif MODE == "short":
    short(int(sys.argv[4]), *(sys.argv[5:] or ["hello"]))
elif MODE == "reuse":
    short(int(sys.argv[4]), *(sys.argv[5:] or ["hello"]), ("", 40123))
elif MODE in ("stuff", "kinds", "cut"):
    {"stuff": stuff, "kinds": kinds, "cut": cut}[MODE](int(sys.argv[4]))
elif MODE == "first":
    print(answer())
elif MODE == "from":
    print(answer((sys.argv[4], int((sys.argv[5:] or [0])[0]))))
else:
    asyncio.run(serve({"echo": echo, "sum": sum_up, "hello": hello, "rst": rst, "who": who, "deaf": deaf}[MODE]))
