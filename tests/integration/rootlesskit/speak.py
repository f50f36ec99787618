"""Remotes that speak to a client of UDP, for the tests.

  speak.py HELPER PORT OTHER...   waits for one datagram at HELPER:PORT, then each OTHER address sends one
                                  to its sender, and HELPER says "end"
"""
import socket
import sys

HELPER, PORT, *OTHERS = sys.argv[1:]
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as helper:
    helper.bind((HELPER, int(PORT)))
    _, client = helper.recvfrom(100)
    for other in OTHERS:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((other, int(PORT)))
            sock.sendto(b"unasked", client)
    helper.sendto(b"end", client)
