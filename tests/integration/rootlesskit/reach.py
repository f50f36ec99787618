"""What a client reaches, for the tests.

  reach.py ADDRESS PORT...          over TCP, each port: prints what came, or the name of the error
  reach.py --udp ADDRESS PORT...    over UDP
  reach.py --unasked HELPER PORT REMOTE...
      asks the UDP service HELPER:PORT (udp.py who) once and waits; prints the senders of what comes then,
      up to a datagram from HELPER that says "end"
"""
import errno
import socket
import sys


def name_of(error):
    return "silence" if isinstance(error, TimeoutError) else errno.errorcode.get(error.errno, str(error))


def reach(kind, address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, kind) as sock:
        sock.settimeout(5)
        try:
            sock.connect((address, port))
            sock.sendall(b"hello")
            return sock.recv(100).decode() or "end"
        except OSError as error:
            return name_of(error)


def unasked(helper, port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(20)
        sock.sendto(b"ask", (helper, port))
        heard = []
        while True:
            data, peer = sock.recvfrom(100)
            if data == b"end":
                break
            heard.append(peer[0])
        print(*heard)


if sys.argv[1] == "--unasked":
    unasked(sys.argv[2], int(sys.argv[3]))
else:
    udp = sys.argv[1] == "--udp"
    address, *ports = sys.argv[1 + udp:]
    print(*(reach(socket.SOCK_DGRAM if udp else socket.SOCK_STREAM, address, int(port)) for port in ports))
