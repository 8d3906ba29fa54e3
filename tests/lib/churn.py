#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Changes pools in a directory without end, and drains members of two that are in use.

    churn.py DIRECTORY CHANGES DRAINS MILLISECONDS

CHANGES of 50 pools, one each MILLISECONDS: weights, members that come and go, pools that come and
go. In between, evenly, DRAINS of the pools "web" and "dns": one of four members leaves, and is back
with the next. At the end all is as `want` prints it: lines of `ipvsadm -Sn`, sorted.
"""
import os
import random
import sys
import time

VIP = "192.0.2.10"
directory, changes, drains, pause = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]) / 1000
seed = int(os.environ.get("SEED", random.randrange(2**32)))
rng = random.Random(seed)
print(f"# seed {seed}", flush=True)


def place(name, text):
    path = f"{directory}/{name}.yaml"
    if text is None:
        if os.path.exists(path):
            os.unlink(path)
        return
    with open(directory + "/../.churn", "w", encoding="utf-8") as f:
        f.write(text)
    os.rename(directory + "/../.churn", path)


def pool(name, port, protocol, members, check, extra=""):
    weights = ",".join(f"{ip}={w}" for ip, w in members.items())
    subsets = ", ".join("{ip: %s}" % ip for ip in members)
    return f"""\
apiVersion: v1
kind: Service
metadata: {{name: {name}, annotations: {{parasaus.io/health-check-type: {check}, parasaus.io/weights: "{weights}"{extra}}}}}
spec: {{type: NodePort, ports: [{{protocol: {protocol}, port: {port}, nodePort: {port}}}]}}
---
apiVersion: v1
kind: Endpoints
metadata: {{name: {name}}}
subsets: [{{addresses: [{subsets}], ports: [{{protocol: {protocol}, port: 8080}}]}}]
"""


class Other:
    """A pool that nobody uses."""

    def __init__(self, number):
        self.number = number
        self.members = {f"10.9.{number}.{i}": i for i in range(1, 5)}
        self.there = True

    def change(self):
        what = rng.choice(("weight", "weight", "add", "remove", "come or go"))
        if what == "come or go" or not self.there:
            self.there = not self.there
        elif what == "weight":
            self.members[rng.choice(list(self.members))] = rng.randrange(1, 100)
        elif what == "add":
            self.members[f"10.9.{self.number}.{rng.randrange(1, 20)}"] = 1
        elif len(self.members) > 1:
            del self.members[rng.choice(list(self.members))]
        self.place()

    def place(self):
        # What is gone is gone at once: a server that drains is no part of what is wanted in the end.
        text = pool(f"other-{self.number}", 31000 + self.number, "TCP", self.members, "none", ', parasaus.io/drain-seconds: "0"')
        place(f"other-{self.number}", text if self.there else None)

    def want(self):
        if self.there:
            at = f"-t {VIP}:{31000 + self.number}"
            yield f"-A {at} -s wrr"
            for ip, weight in self.members.items():
                yield f"-a {at} -r {ip}:8080 -m -w {weight}"


ALL = [f"10.100.1.1{i}" for i in range(1, 5)]


def used(but):
    rr = ', parasaus.io/scheduler: rr, parasaus.io/drain-seconds: "30"'
    members = {ip: 1 for ip in ALL if ip != but}
    place("web", pool("web", 30080, "TCP", members, "tcp", rr))
    place("dns", pool("dns", 30053, "UDP", members, "none", rr))


others = [Other(n) for n in range(50)]
for other in others:
    other.place()
used(None)
print("placed", flush=True)
sys.stdin.readline()
began = time.monotonic()
for i in range(changes):
    rng.choice(others).change()
    if i * drains // changes != (i + 1) * drains // changes:
        used(ALL[i * drains // changes % 4])
    # At an even pace, and no faster to make up for what was slow.
    time.sleep(pause)
used(None)
print(f"changed {changes} in {time.monotonic() - began:.1f} s", flush=True)
for line in sorted(line for other in others for line in other.want()):
    print("want", line, flush=True)
print("done", flush=True)
