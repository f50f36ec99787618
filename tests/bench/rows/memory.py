"""Memory of a running instance: PSS summed over its processes, without the command's own.

Some of these are closed to their user (PR_SET_DUMPABLE): root's part reads the figures for him."""
import os
import socket
import subprocess
import threading
import time

PORTS, CONNECTIONS = 100, 1000
# Holds what it accepts, on every port; one line on stdout when it listens.
HOLDER = """
import select, socket, sys
poll, held = select.epoll(), {}
for port in map(int, sys.argv[1:]):
    s = socket.create_server(("127.0.0.1", port), backlog=512)
    held[s.fileno()] = s
    poll.register(s, select.EPOLLIN)
print("up", flush=True)
while True:
    for fd, _ in poll.poll():
        c = held[fd].accept()[0]
        c.send(b"x")
        held[-c.fileno()] = c
"""


def family(pid, without=None):
    """The process and all below it, but for one of them and all below that; one that ends meanwhile has nobody."""
    if pid == without:
        return []
    found = [pid]
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as f:
                for child in f.read().split():
                    found += family(int(child), without)
    except (FileNotFoundError, ProcessLookupError):
        pass
    return found


def read_pss(pid):
    """MiB of the instance whose parent process is pid."""
    total = 0
    for process in family(pid):
        with open(f"/proc/{process}/comm", encoding="ascii") as f:
            if f.read().strip() == "sleep":
                continue
        with open(f"/proc/{process}/smaps_rollup", encoding="ascii") as f:
            total += sum(int(line.split()[1]) for line in f if line.startswith("Pss:"))
    return total / 1024


# Set for the process that measures: its end of the pair to root's part.
ASK = "RLBENCH_PSS"


def pss(pid):
    """What root's part reads for us."""
    with socket.socket(fileno=os.dup(int(os.environ[ASK]))) as root:
        root.send(str(pid).encode())
        return float(root.recv(64))


def serve_pss():
    """Root's part. Returns the fd that the process which measures is to inherit."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def answer():
        while pid := ours.recv(64):
            ours.send(str(read_pss(int(pid))).encode())

    threading.Thread(target=answer, daemon=True).start()
    return theirs.detach()


class Load:
    """PORTS published ports, and CONNECTIONS open through them."""

    def __init__(self, instance, first):
        ports = [first + i for i in range(PORTS)]
        specs = [f"127.0.0.1:{port}:{port}/tcp" for port in ports]
        ctl = os.path.join(os.path.dirname(instance.binary), "rootlessctl")
        subprocess.run([ctl, "--socket", os.path.join(instance.state, "api.sock"), "add-ports", *specs],
                       stdout=subprocess.DEVNULL, check=True)
        self.holder = subprocess.Popen(instance.enter("python3", "-c", HOLDER, *map(str, ports)),
                                       stdout=subprocess.PIPE)
        self.holder.stdout.readline()
        self.clients = []
        for i in range(CONNECTIONS):
            client = socket.create_connection(("127.0.0.1", ports[i % PORTS]), timeout=20)
            client.recv(1)
            self.clients.append(client)
        time.sleep(0.5)

    def close(self):
        for client in self.clients:
            client.close()
        self.holder.terminate()
        self.holder.wait()


def settled(pid):
    """PSS once what only a request needed has ended (the API's process)."""
    time.sleep(12)
    return pss(pid)

