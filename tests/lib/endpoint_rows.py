#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Cases of EndpointSlices, a row each, as manifests, and the kernel's table as such rows.

    endpoint_rows.py manifests ROWS STEP VIP BASE PROTOCOL    prints a List
    endpoint_rows.py wanted ROWS STEP                         one "NAME|FRONTENDS" a line
    endpoint_rows.py shown ROWS STEP VIP BASE                 the same, of what `ipvsadm -Sn` said

A row of the file ROWS is

    NAME
    | SLICES | FRONTENDS
    | SLICES | FRONTENDS ...

with a line for each step. SLICES, with ";" between them, are

    SERVICE/SLICE ADDRESS[=CONDITION],... PORTNAME:PORT,...

ADDRESS may be "none", a PORT may be missing, CONDITION is ready (where none is written), unready,
terminating (and serving) or ending (and not serving). FRONTENDS are what the kernel has to have:
"PORTNAME=ADDRESS:PORT,... PORTNAME= PORTNAME=absent". A port is named p and a number, or "-", which
is no name. Each row has Services of its own, with all ports that one of its steps names, and the node
port of pN is BASE + 200 * row + N, of "-" that of p11.
"""
import json
import re
import sys

CONDITIONS = {  # ready, serving, terminating
    "ready": (True, True, False),
    "unready": (False, False, False),
    "terminating": (False, True, True),
    "ending": (False, False, True),
}


def read(path):
    with open(path, encoding="ascii") as f:
        rows = re.split(r"\n(?!\|)", f.read().strip())
    return [[field.strip() for field in row.split("|")] for row in rows]


def port_number(name):
    return 11 if name == "-" else int(name[1:])


def ports_of(text):
    for one in text.split(","):
        name, _, port = one.partition(":")
        yield name, int(port) if port else None


def slices_of(text):
    for one in filter(None, (s.strip() for s in text.split(";"))):
        name, addresses, ports = one.split()
        service, _, number = name.partition("/")
        yield service, number, addresses, list(ports_of(ports))


def named(name, port):
    return port if name == "-" else {"name": name, **port}


def service(name, names, base, protocol):
    ports = [{"protocol": protocol, "port": port_number(n), "nodePort": base + port_number(n)}
             for n in names]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "annotations": {"parasaus.io/health-check-type": "none"}},
        "spec": {"type": "NodePort", "ports": [named(n, p) for n, p in zip(names, ports)]},
    }


def endpoint(text):
    address, _, condition = text.partition("=")
    words = zip(("ready", "serving", "terminating"), CONDITIONS[condition or "ready"])
    return {"addresses": [address], "conditions": dict(words)}


def endpoint_slice(owner, number, addresses, ports, protocol):
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": f"{owner}-{number}", "labels": {"kubernetes.io/service-name": owner}},
        "addressType": "IPv4",
        "ports": [named(n, {"protocol": protocol, "port": p}) for n, p in ports],
        "endpoints": [] if addresses == "none" else [endpoint(a) for a in addresses.split(",")],
    }


def manifests(path, step, _, base, protocol):
    items = []
    for row, fields in enumerate(read(path)):
        names = {}
        for text in fields[1::2]:
            for owner, _, _, ports in slices_of(text):
                known = names.setdefault(owner, [])
                known += [n for n, _ in ports if n not in known]
        items += [service(f"r{row}-{owner}", n, int(base) + 200 * row, protocol)
                  for owner, n in names.items()]
        items += [endpoint_slice(f"r{row}-{owner}", number, addresses, ports, protocol)
                  for owner, number, addresses, ports in slices_of(fields[2 * int(step) - 1])]
    print(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))


def wanted(path, step):
    for fields in read(path):
        print(f"{fields[0]}|{fields[2 * int(step)]}")


def numbers(server):
    return [int(n) for n in re.findall("[0-9]+", server)]


def shown(path, step, vip, base):
    kernel = {}
    for line in sys.stdin:
        words = line.split()
        if words[0] == "-A":
            kernel.setdefault(words[2], [])
        else:
            weight = words[words.index("-w") + 1]
            kernel.setdefault(words[2], []).append(words[4] + ("" if weight == "1" else f"={weight}"))
    for row, fields in enumerate(read(path)):
        said = []
        for one in fields[2 * int(step)].split():
            name = one.partition("=")[0]
            there = kernel.get(f"{vip}:{int(base) + 200 * row + port_number(name)}")
            said.append(f"{name}={'absent' if there is None else ','.join(sorted(there, key=numbers))}")
        print(f"{fields[0]}|{' '.join(said)}")


{"manifests": manifests, "wanted": wanted, "shown": shown}[sys.argv[1]](*sys.argv[2:])
