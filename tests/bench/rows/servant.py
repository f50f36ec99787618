"""A command of rootlesskit's that runs what it is told to, so that this descends from it.

  servant.py SOCKET            serves: is the command
  servant.py SOCKET WORD...    has it run the words, with the files of this process, whose exit status is theirs and
                               whose end is theirs
"""
import os
import select
import signal
import socket
import struct
import subprocess
import sys

LONGEST = 1 << 16


def words(path, *rest):
    """What runs this program."""
    return ["python3", os.path.abspath(__file__), path, *rest]


def pid_of(path):
    """The process that serves at the socket; None as long as there is none."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        try:
            s.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        return struct.unpack("iII", s.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]


def run(connection):
    """Runs what the client says until it has ended or the client has."""
    said, files, _, _ = socket.recv_fds(connection, LONGEST, 3)
    if not said:  # who wanted to know whether we are there
        return
    process = subprocess.Popen(said.decode().split("\0"), stdin=files[0], stdout=files[1], stderr=files[2])
    select.select([connection, os.pidfd_open(process.pid)], [], [])
    process.terminate()
    connection.send(bytes([process.wait() & 0xff]))


def serve(path):
    """A process for each client."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.bind(path)
        s.listen()
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how they ended
        while True:
            connection, _ = s.accept()
            with connection:
                if os.fork() == 0:
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    run(connection)
                    return


def ask(path, rest):
    """The exit status of what was run. It has ended when we do, also by SIGTERM."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.connect(path)
        signal.signal(signal.SIGTERM, lambda *_: s.shutdown(socket.SHUT_WR))
        socket.send_fds(s, ["\0".join(rest).encode()], [0, 1, 2])
        return (s.recv(1) or b"\1")[0]


if __name__ == "__main__":
    sys.exit(ask(sys.argv[1], sys.argv[2:]) if sys.argv[2:] else serve(sys.argv[1]))
