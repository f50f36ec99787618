"""A DHCP server for the tests, with leases shorter than real ones give: prints a line an answer.

  dhcp.py INTERFACE ADDRESS CLIENT-ADDRESS LEASE-SECONDS REFUSE-FILE

Requests are refused while REFUSE-FILE exists, those for a new address too. Every answer comes after one with a
wrong number and one that is cut.
"""
import os
import socket
import struct
import sys

INTERFACE, SERVER, CLIENT, LEASE, REFUSE = sys.argv[1:]
COOKIE = bytes([99, 130, 83, 99])


def option_of(message, wanted):
    at = 240
    while message[at] != 255:
        if message[at] == wanted:
            return message[at + 2:at + 2 + message[at + 1]]
        at += 2 + message[at + 1]
    return b""


def answer(message):
    asked = option_of(message, 53)[0]
    kind = {1: 2, 3: 6 if os.path.exists(REFUSE) else 5}[asked]
    options = [(53, bytes([kind])), (54, socket.inet_aton(SERVER))]
    if kind != 6:
        options += [(51, struct.pack("!I", int(LEASE))), (1, b"\xff\xff\xff\0"),
                    (3, socket.inet_aton(SERVER)), (6, socket.inet_aton(SERVER) + socket.inet_aton("192.0.2.53"))]
    given = socket.inet_aton(CLIENT) if kind != 6 else bytes(4)
    head = b"\2\1\6\0" + message[4:8] + message[8:16] + given + bytes(8) + message[28:44] + bytes(192)
    return {2: "offer", 5: "ack", 6: "nak"}[kind], head + COOKIE + b"".join(
        bytes([code, len(value)]) + value for code, value in options) + b"\xff"


server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
server.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, INTERFACE.encode())
server.bind(("", 67))
while True:
    query = server.recv(2000)
    name, reply = answer(query)
    wrong = reply[:4] + bytes([reply[4] ^ 1]) + reply[5:]
    for packet in (wrong, reply[:250], reply):
        server.sendto(packet, ("255.255.255.255", 68))
    print(name, "renew" if query[12:16] != bytes(4) else "first", flush=True)
