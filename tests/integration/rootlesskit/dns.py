"""A DNS server for the tests: answers every A question with one address, over UDP and TCP.

  dns.py ADDRESS ANSWER [WAY]

WAY is "plain", or over UDP
  slow      the answer takes 3 s
  servfail  SERVFAIL without an answer
  spoofed   before the answer, others with 192.0.2.66: from another address, with another id, and one
            that is no response
"""
import socket
import socketserver
import sys
import threading
import time

ADDRESS, ANSWER = sys.argv[1:3]
WAY = (sys.argv[3:] or ["plain"])[0]
FALSE = "192.0.2.66"


def question(query):
    end = 12
    while query[end]:
        end += query[end] + 1
    return query[12:end + 5]


def reply(query, answer=ANSWER, flags=b"\x81\x80"):
    header = query[:2] + flags + b"\0\1\0\1\0\0\0\0"
    return header + question(query) + b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4" + socket.inet_aton(answer)


def spoofs(query, client):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.66", 53))
        other.sendto(reply(query, FALSE), client)
    yield reply(bytes([query[0] ^ 1]) + query[1:], FALSE)
    yield reply(query, FALSE, b"\1\0")
    yield query[:11]


class Udp(socketserver.BaseRequestHandler):
    def handle(self):
        query, sock = self.request
        if WAY == "slow":
            time.sleep(3)
        if WAY == "servfail":
            sock.sendto(query[:2] + b"\x81\x82\0\1\0\0\0\0\0\0" + question(query), self.client_address)
            return
        if WAY == "spoofed":
            for false in spoofs(query, self.client_address):
                sock.sendto(false, self.client_address)
        sock.sendto(reply(query), self.client_address)


class Tcp(socketserver.BaseRequestHandler):
    def handle(self):
        size = int.from_bytes(self.request.recv(2), "big")
        answer = reply(self.request.recv(size))
        self.request.sendall(len(answer).to_bytes(2, "big") + answer)


FAMILY = socket.AF_INET6 if ":" in ADDRESS else socket.AF_INET


class UdpServer(socketserver.UDPServer):
    address_family = FAMILY
    allow_reuse_address = True


class TcpServer(socketserver.TCPServer):
    address_family = FAMILY
    allow_reuse_address = True


servers = [UdpServer((ADDRESS, 53), Udp), TcpServer((ADDRESS, 53), Tcp)]
threading.Thread(target=servers[0].serve_forever, daemon=True).start()
servers[1].serve_forever()
