"""A DNS server for the tests: answers every A question with one address, over UDP and TCP.

  dns.py ADDRESS ANSWER
"""
import socket
import socketserver
import sys
import threading

ADDRESS, ANSWER = sys.argv[1:]


def reply(query):
    end = 12
    while query[end]:
        end += query[end] + 1
    question = query[12:end + 5]
    header = query[:2] + b"\x81\x80\0\1\0\1\0\0\0\0"
    return header + question + b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4" + socket.inet_aton(ANSWER)


class Udp(socketserver.BaseRequestHandler):
    def handle(self):
        self.request[1].sendto(reply(self.request[0]), self.client_address)


class Tcp(socketserver.BaseRequestHandler):
    def handle(self):
        size = int.from_bytes(self.request.recv(2), "big")
        answer = reply(self.request.recv(size))
        self.request.sendall(len(answer).to_bytes(2, "big") + answer)


class UdpServer(socketserver.UDPServer):
    allow_reuse_address = True


class TcpServer(socketserver.TCPServer):
    allow_reuse_address = True


servers = [UdpServer((ADDRESS, 53), Udp), TcpServer((ADDRESS, 53), Tcp)]
threading.Thread(target=servers[0].serve_forever, daemon=True).start()
servers[1].serve_forever()
