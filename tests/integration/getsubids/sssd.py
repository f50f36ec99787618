"""Answers SSSD's client library at its socket, as sssd_nss does: alice has ranges, nobody else.

sssd.py SOCKET USER: a request is {length, command, status, reserved} and its data; so is an answer.
"""
import os
import socket
import struct
import sys

GET_VERSION, GET_SUBID_RANGES = 0x0001, 0x0130
UIDS, GIDS = [(2147483648, 65536)], [(2147483648, 65536), (500000, 1000)]


def answer_to(command, data, user):
    if command == GET_VERSION:
        return struct.pack("=I", 1)
    if command == GET_SUBID_RANGES and data.rstrip(b"\0").decode() == user:
        pairs = [n for pair in UIDS + GIDS for n in pair]
        return struct.pack(f"={2 + len(pairs)}I", len(UIDS), len(GIDS), *pairs)
    return struct.pack("=II", 0, 0)


def serve(client, user):
    while header := client.recv(16, socket.MSG_WAITALL):
        length, command, _, _ = struct.unpack("=IIII", header)
        data = client.recv(length - 16, socket.MSG_WAITALL) if length > 16 else b""
        answer = answer_to(command, data, user)
        client.sendall(struct.pack("=IIII", 16 + len(answer), command, 0, 0) + answer)


def main():
    path, user = sys.argv[1:]
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    os.chmod(path, 0o666)
    server.listen()
    while True:
        client, _ = server.accept()
        with client:
            serve(client, user)


main()
