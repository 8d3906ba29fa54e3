#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Questions by UDP, each asked once, and who answers them.

    datagrams.py serve NAME ADDRESS PORT
    datagrams.py ask ADDRESS PORT CLIENTS SOURCE...    until SIGTERM; then says "ASKED FAILED"

A question is from an address and port that no other one was from for as long as may be: one that is
used again while the kernel tracks it (30 s) goes on with what was, and its packet is dropped when the
server that it was for has left (ip_vs_in(), ip_vs_conn_uses_old_conntrack()).
"""
import itertools
import select
import signal
import socket
import sys
import threading
import time

TIMEOUT = 10


def serve(name, address, port):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((address, int(port)))
    print("listening", flush=True)
    while True:
        data, peer = s.recvfrom(100)
        s.sendto(name.encode() + b" " + data, peer)


def ask(address, port, clients, *sources):
    over = threading.Event()
    places = itertools.cycle((source, p) for p in range(10000, 60000) for source in sources)
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    counts = [[0, 0] for _ in range(int(clients))]
    lock = threading.Lock()

    def next_place():
        with lock:
            return next(places)

    def client(count):
        while not over.is_set():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.bind(next_place())
                s.connect((address, int(port)))
                count[0] += 1
                try:
                    s.send(b"?")
                    ready, _, _ = select.select([s], [], [], TIMEOUT)
                    answered = bool(ready) and s.recv(100).endswith(b" ?")
                except OSError as e:
                    print(f"# {time.time():.3f} {e}", file=sys.stderr, flush=True)
                    answered = False
                count[1] += not answered
            time.sleep(0.002)

    threads = [threading.Thread(target=client, args=(c,)) for c in counts]
    for t in threads:
        t.start()
    while not over.wait(0.5):
        pass
    for t in threads:
        t.join()
    print(sum(c[0] for c in counts), sum(c[1] for c in counts), flush=True)


{"serve": serve, "ask": ask}[sys.argv[1]](*sys.argv[2:])
