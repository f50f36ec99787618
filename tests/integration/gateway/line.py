"""A bad line: two network interfaces, one here and one in another network namespace, and between them a
program that loses, delays, reorders and doubles packets, the same ones at every run.

  line.py NAME NETNS-FILE DELAY-MS LOSS DUPLICATE REORDER     the last three in per cent of packets

NAME is the interface's in both namespaces; they are up to the caller to configure. Runs until killed.
"""
import ctypes
import fcntl
import heapq
import itertools
import os
import random
import selectors
import struct
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
CLONE_NEWNET = 0x40000000
QUEUE = 1000  # packets under way in a direction: more are lost, as in a router


def interface(name):
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return fd


def enter(path):
    with open(path) as namespace:
        if ctypes.CDLL(None).setns(namespace.fileno(), CLONE_NEWNET) != 0:
            raise OSError("setns")


class Line:
    def __init__(self, delay, loss, duplicate, reorder):
        self.delay = delay / 1000
        self.chances = loss / 100, duplicate / 100, reorder / 100
        self.dice = random.Random(1)
        self.under_way = []
        self.number = itertools.count()

    def take(self, now, packet, to):
        loss, duplicate, reorder = self.chances
        if self.dice.random() < loss or len(self.under_way) > QUEUE:
            return
        at = now + (0 if self.dice.random() < reorder else self.delay)
        for _ in range(2 if self.dice.random() < duplicate else 1):
            heapq.heappush(self.under_way, (at, next(self.number), packet, to))

    def deliver(self, now):
        """Gives out what is due; returns how long to wait for the next."""
        while self.under_way and self.under_way[0][0] <= now:
            _, _, packet, to = heapq.heappop(self.under_way)
            try:
                os.write(to, packet)
            except OSError:
                pass  # the interface is down
        return self.under_way[0][0] - now if self.under_way else None


def main():
    name, namespace = sys.argv[1:3]
    line = Line(*map(float, sys.argv[3:]))
    here = interface(name)
    enter(namespace)
    there = interface(name)
    ready = selectors.DefaultSelector()
    ready.register(here, selectors.EVENT_READ, there)
    ready.register(there, selectors.EVENT_READ, here)
    while True:
        wait = line.deliver(time.monotonic())
        for key, _ in ready.select(wait):
            try:
                for _ in range(64):
                    line.take(time.monotonic(), os.read(key.fd, 65536), key.data)
            except BlockingIOError:
                pass


main()
