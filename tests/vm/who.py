"""Answers over TCP and UDP with the address of who asks; says "ready" when it can.

  who.py PORT ADDRESS...
"""
import selectors
import socket
import sys

PORT, ADDRESSES = int(sys.argv[1]), sys.argv[2:]
selector = selectors.DefaultSelector()
for address in ADDRESSES:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
        s = socket.socket(family, kind)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((address, PORT))
        if kind == socket.SOCK_STREAM:
            s.listen()
        selector.register(s, selectors.EVENT_READ, kind)
print("ready", flush=True)
while True:
    for key, _ in selector.select():
        if key.data == socket.SOCK_STREAM:
            client, peer = key.fileobj.accept()
            client.recv(2048)
            client.sendall(peer[0].encode() + b"\n")
            client.close()
        else:
            _, peer = key.fileobj.recvfrom(2048)
            key.fileobj.sendto(peer[0].encode() + b"\n", peer)
