"""UDP peers for the tests.

  udp.py echo ADDRESS PORT             serve: send back what comes, ask for SO_RCVBUF enough for a burst
  udp.py who ADDRESS PORT              serve: answer with the address of who asks
  udp.py where ADDRESS PORT            serve: answer with the address and the port of who asks
  udp.py marks ADDRESS PORT            serve: answer, with the type of service that was asked for, which one it came with
  udp.py join ADDRESS PORT             serve: connect the socket to who asks first, answer each time with his address
                                       and how often he has asked
  udp.py ask ADDRESS,... PORT SIZE     one datagram each there and back; prints who answered, or why not
  udp.py from ADDRESS PORT LOCAL LOCAL_PORT [PORT...]  one datagram to each port from one socket; prints the answers
  udp.py marked ADDRESS PORT A B       types of service of a datagram, A, and its answer, B, as they arrive
  udp.py times ADDRESS PORT N          N there and back, one after the other; prints the last answer
  udp.py follow ADDRESS PORT           asks from one socket until it is ended; prints each answer that is a new one
  udp.py many ADDRESS PORT N           N clients at once, one after the other's turn; prints who got his own
  udp.py burst ADDRESS PORT N SIZE     N datagrams in rounds of up to 64, each a little different;
                                       prints how many came back
  udp.py mixed ADDRESS PORT N          datagrams of all lengths from 0 up to N; prints "same" or the lengths lost
  udp.py hold ADDRESS PORT             one there and back, prints "answered", then waits for one more
"""
import errno
import os
import select
import socket
import sys
import time

# RECVTOS and TOS, RECVTCLASS and TCLASS.
MARKS = {socket.AF_INET: (socket.IPPROTO_IP, 13, 1), socket.AF_INET6: (socket.IPPROTO_IPV6, 66, 67)}
MODE, ADDRESS, PORT = sys.argv[1], sys.argv[2], int(sys.argv[3])


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def client(timeout=2.0, address=ADDRESS):
    s = socket.socket(family(address), socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    s.settimeout(timeout)
    return s


def serve(answer):
    s = socket.socket(family(ADDRESS), socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    s.bind((ADDRESS, PORT))
    while True:
        data, peer = s.recvfrom(65536)
        s.sendto(answer(data, peer), peer)


def ask(address, size):
    data = os.urandom(size)
    with client(address=address) as s:
        try:
            s.sendto(data, (address, PORT))
            answer, peer = s.recvfrom(65536)
            print(peer[0] if answer == data else answer.decode(errors="replace"))
        except TimeoutError:
            print("silence")
        except OSError as e:
            print(errno.errorcode.get(e.errno, e))


def receive_marked(s):
    data, control, _, peer = s.recvmsg(65536, 64)
    return data, next((c[0] for _, kind, c in control if kind == MARKS[s.family][2]), None), peer


def marks():
    s = socket.socket(family(ADDRESS), socket.SOCK_DGRAM)
    level, tell, own = MARKS[s.family]
    s.setsockopt(level, tell, 1)
    s.bind((ADDRESS, PORT))
    while True:
        data, seen, peer = receive_marked(s)
        s.setsockopt(level, own, int(data))
        s.sendto(b"%d" % seen, peer)


def marked(one, other):
    with client() as s:
        level, tell, own = MARKS[s.family]
        s.setsockopt(level, tell, 1)
        s.setsockopt(level, own, one)
        try:
            s.sendto(b"%d" % other, (ADDRESS, PORT))
            data, seen, _ = receive_marked(s)
            print(data.decode(), seen)
        except TimeoutError:
            print("silence")


def join():
    s = socket.socket(family(ADDRESS), socket.SOCK_DGRAM)
    s.bind((ADDRESS, PORT))
    data, peer = s.recvfrom(65536)
    s.connect(peer)
    for n in range(1, 1000):
        s.send(b"%s %d" % (peer[0].encode(), n))
        s.recv(65536)


def receive(s):
    try:
        return s.recv(65536).decode()
    except TimeoutError:
        return "silence"


def ask_from(local, local_port, ports):
    with client() as s:
        s.bind((local, local_port))
        for port in ports:
            s.sendto(b"x", (ADDRESS, port))
            print(receive(s))


def times(n):
    with client() as s:
        for _ in range(n):
            s.sendto(b"x", (ADDRESS, PORT))
            answer = receive(s)
        print(answer)


def follow():
    last = "silence"
    with client(0.2) as s:
        while True:
            s.sendto(b"x", (ADDRESS, PORT))
            answer = receive(s)
            if answer not in ("silence", last):
                print(answer, flush=True)
                last = answer
                time.sleep(0.1)


def many(n):
    good, waiting = 0, {}
    for i in range(n):
        s = client()
        s.sendto(b"%08d" % i, (ADDRESS, PORT))
        waiting[s.fileno()] = (s, b"%08d" % i)
    poll = select.poll()
    for fd in waiting:
        poll.register(fd, select.POLLIN)
    while waiting and (ready := poll.poll(10000)):
        for fd, _ in ready:
            s, want = waiting.pop(fd)
            good += s.recv(100) == want
            poll.unregister(fd)
    print(good)
    if good < n:
        print(f"{len(waiting)} did not come back, {n - good - len(waiting)} as another", file=sys.stderr)


def burst(n, size):
    good = 0
    step = min(64, 80000 // size)  # what a socket buffer of the usual size holds
    with client(0.5) as s:
        for first in range(0, n, step):
            sent = {b"%08d" % i + bytes(size - 8) for i in range(first, min(first + step, n))}
            for data in sorted(sent):
                s.sendto(data, (ADDRESS, PORT))
            try:
                while sent:
                    sent.remove(s.recv(65536))
                    good += 1
            except TimeoutError:
                pass
    print(good)


def mixed(n):
    lost = []
    with client(5) as s:  # a busy machine is late; what is lost stays so
        for first in range(0, n + 1, 16):
            sent = [os.urandom(k) for k in range(first, min(first + 16, n + 1))]
            for data in sent:
                s.sendto(data, (ADDRESS, PORT))
            got = []
            try:
                while len(got) < len(sent):
                    got.append(s.recv(65536))
            except TimeoutError:
                pass
            lost += [len(data) for data in sent if data not in got]
    print(lost or "same")


def hold():
    with client(10) as s:
        s.connect((ADDRESS, PORT))
        s.send(b"x")
        s.recv(1)
        print("answered", flush=True)
        s.settimeout(0.5)
        end = time.monotonic() + 10
        while True:
            time.sleep(0.1)
            try:
                s.send(b"x")
                s.recv(1)
            except TimeoutError as e:  # one that was under way when the port went is lost
                if time.monotonic() > end:
                    print(e)
                    return
            except OSError as e:
                print(errno.errorcode.get(e.errno, e))
                return


if MODE == "ask":
    for one in ADDRESS.split(","):
        ask(one, int(sys.argv[4]))
elif MODE == "from":
    ask_from(sys.argv[4], int(sys.argv[5]), [PORT, *map(int, sys.argv[6:])])
elif MODE == "times":
    times(int(sys.argv[4]))
elif MODE == "follow":
    follow()
elif MODE == "many":
    many(int(sys.argv[4]))
elif MODE == "burst":
    burst(int(sys.argv[4]), int(sys.argv[5]))
elif MODE == "mixed":
    mixed(int(sys.argv[4]))
elif MODE == "hold":
    hold()
elif MODE == "marked":
    marked(int(sys.argv[4]), int(sys.argv[5]))
elif MODE == "marks":
    marks()
elif MODE == "join":
    join()
elif MODE == "who":
    serve(lambda data, peer: peer[0].encode())
elif MODE == "where":
    serve(lambda data, peer: b"%s %d" % (peer[0].encode(), peer[1]))
else:
    serve(lambda data, peer: data)
