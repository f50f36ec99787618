"""Runs tests/bench/load (load.h there has its subcommands) on the host and in children."""
import json
import os
import socket
import subprocess
import sys

from rows.contender import until
from rows.kit import free_port

# Set for the process that measures: the program.
PROGRAM = "RLBENCH_LOAD"
HANGS_SECONDS = 15


def program(build):
    """Where a build folder has it."""
    return os.path.join(os.path.abspath(build), "tests/bench/load")


def words(*arguments):
    return [os.environ[PROGRAM], *map(str, arguments)]


def run(contender, *arguments):
    """What a subcommand that ends found; {} when it failed or hangs."""
    try:
        done = subprocess.run(contender.enter(*words(*arguments)), capture_output=True, text=True, check=False,
                              timeout=HANGS_SECONDS)
    except subprocess.TimeoutExpired:
        return {}
    return json.loads(done.stdout) if done.returncode == 0 else {}


def is_listening(enter, address, port, kind):
    """Whether somebody has the address and port where enter leads, by the kernel's table of kind "tcp" or "udp"."""
    table = subprocess.run(enter("cat", f"/proc/net/{kind}"), capture_output=True, text=True, check=True).stdout
    wanted = f"{int.from_bytes(socket.inet_aton(address), sys.byteorder):08X}:{port:04X}"
    return any(line.split()[1] == wanted for line in table.splitlines()[1:])


def on_host(*args):
    """Where commands run when nothing leads into a child."""
    return list(args)


class Service:
    """A subcommand that serves: on loopback of the host, or where enter leads."""

    def __init__(self, what, kind="tcp", enter=on_host, address="127.0.0.1", port=None):
        self.port = port or free_port()
        self.process = subprocess.Popen(enter(*words(what, address, self.port)), text=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        until(lambda: is_listening(enter, address, self.port, kind), f"load {what}")

    def ask(self):
        """What a sink has received since the last time."""
        print(file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())["received"]

    def close(self):
        self.process.terminate()
        self.process.wait()


class Open:
    """Connections from a child that stay open."""

    def __init__(self, contender, port, count):
        self.process = subprocess.Popen(contender.enter(*words("open", contender.address, port, count)), text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if not self.process.stdout.readline():
            sys.exit(f"bench: {contender.name} does not open {count} connections")

    def close(self):
        self.process.stdin.close()
        self.process.wait()
