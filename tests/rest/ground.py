# SPDX-License-Identifier: GPL-2.0-or-later
"""What tests of the REST interface stand on: an agent with a store in a network of its own, which is
started again when it is killed, as systemd would; its answers; and TAP. Where the kernel has IPVS
the agent has a table of it, empty at first; elsewhere one in memory (tools/agent_fixture)."""

import atexit
import http.client
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.realpath(__file__))
BUILD = os.environ.get("PARASAUS_BUILD") or os.path.join(HERE, "../../build/release")
PATIENCE = 120  # seconds: what takes longer has failed
FORMAT = "application/json"
PATCH = "application/merge-patch+json"


def alone():
    """The program goes on in a network of its own."""
    if not os.environ.get("REST_INSIDE"):
        os.environ["REST_INSIDE"] = "1"
        os.execvp("unshare", ["unshare", "--net", sys.executable, *sys.argv])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def has_ipvs():
    return os.path.exists("/proc/net/ip_vs")


def until(what, ask, seconds=PATIENCE):
    """Asks until it is true, and gives what it was."""
    end = time.monotonic() + seconds
    while True:
        said = ask()
        if said:
            return said
        if time.monotonic() > end:
            raise AssertionError("waited in vain: " + what)
        time.sleep(0.01)


# --- TAP --------------------------------------------------------------------------------------


class Tap:
    def __init__(self):
        self.count = self.failed = 0

    def note(self, text):
        for line in str(text).splitlines():
            print("#", line, flush=True)

    def ok(self, good, what, why=""):
        self.count += 1
        self.failed += not good
        print(f"{'ok' if good else 'not ok'} {self.count} - {what}", flush=True)
        if not good and why != "":
            self.note(why)

    def equal(self, what, wanted, got):
        self.ok(wanted == got, what, f"wanted: {wanted!r:.2000}\ngot: {got!r:.2000}")

    def at_most(self, what, limit, got):
        self.ok(got <= limit, f"{what}: {got:.4g} of at most {limit}")

    def done(self):
        print(f"1..{self.count}")
        sys.exit(self.failed > 0)


# --- the agent ----------------------------------------------------------------------------------


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def etag(self):
        return self.headers.get("ETag")

    @property
    def code(self):
        return self.json.get("code") if self.body else None


class Connection(http.client.HTTPConnection):
    """To a unix socket; what is no answer is an OSError or an http.client.HTTPException."""

    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)

    def was_left(self):
        """The other side has closed it, as after some seconds of silence."""
        return bool(self.sock and select.select([self.sock], [], [], 0)[0])

    def ask(self, method, path, body=None, headers=None):
        headers = dict(headers or {})
        if body is not None:
            headers.setdefault("Content-Type", PATCH if method == "PATCH" else FORMAT)
            if not isinstance(body, (bytes, str)):
                body = json.dumps(body)
        if self.was_left():
            self.close()  # the next request makes a new one
        try:
            self.request(method, path, body, headers)
            r = self.getresponse()
            return Answer(r.status, r.headers, r.read())
        except (OSError, http.client.HTTPException):
            self.close()
            raise


class Agent:
    """`ports` of its one address; `lines` are added to its configuration."""

    def __init__(self, ports="30000-64999", lines="", state=None):
        self.dir = tempfile.mkdtemp(prefix="rest-", dir="/run")
        self.socket = self.dir + "/api.sock"
        self.tcp = ("127.0.0.1", 8080)
        self.state = state or self.dir + "/state"
        self.parent = None
        self.supervisor = None
        self.stopping = False
        atexit.register(self.remove)
        with open(self.dir + "/parasaus.yaml", "w", encoding="ascii") as f:
            f.write(
                f"node: rest\nstateDirectory: {self.state}\nvipRanges: [192.0.2.0/24]\n"
                f"addressPools: [{{name: main, addresses: [192.0.2.10], ports: {ports}}}]\n"
                f'api: {{socket: {self.socket}, listen: "127.0.0.1:8080"}}\nuser: root\n{lines}\n'
            )

    def run(self):
        with open(self.dir + "/log", "ab") as log:
            while not self.stopping:
                self.parent = subprocess.Popen(
                    [BUILD + ("/parasausd" if has_ipvs() else "/tools/agent_fixture"), "-c", self.dir + "/parasaus.yaml"], stdin=subprocess.DEVNULL, stdout=log, stderr=log
                )
                if self.parent.wait() != -signal.SIGKILL:
                    return

    def start(self):
        self.stopping = False
        self.supervisor = threading.Thread(target=self.run, daemon=True)
        self.supervisor.start()
        self.serves()
        return self

    def serves(self):
        until("the agent answers", lambda: self.try_status())

    def try_status(self):
        try:
            a = Connection(self.socket).ask("GET", "/api/v1/status")
        except (OSError, http.client.HTTPException):
            return None
        return a.json if a.status == 200 else None

    def stop(self, how=signal.SIGTERM):
        self.stopping = True
        if self.parent:
            self.parent.send_signal(how)
        self.supervisor.join()

    def remove(self):
        self.stopping = True
        if self.parent and self.parent.poll() is None:
            self.parent.kill()
            self.parent.wait()
        if not os.environ.get("KEEP"):
            shutil.rmtree(self.dir, ignore_errors=True)

    def log(self):
        with open(self.dir + "/log", encoding="utf-8", errors="replace") as f:
            return f.read()

    def ctl(self, *words):
        return subprocess.run([BUILD + "/parasausctl", "-s", self.socket, *words], check=True, capture_output=True, text=True).stdout.strip()

    def connect(self):
        return Connection(self.socket)

    def pid(self, role):
        """Of parent, core, healthcheck or ipvs; None where there is none now."""
        parent = self.parent.pid if self.parent else 0
        if role == "parent":
            return parent
        try:
            with open(f"/proc/{parent}/task/{parent}/children", encoding="ascii") as f:
                children = f.read().split()
            for child in children:
                with open(f"/proc/{child}/cmdline", encoding="ascii") as f:
                    if role in f.read():
                        return int(child)
        except OSError:
            pass
        return None

    # --- what is in it ---------------------------------------------------------------------------

    def everything(self, path):
        """All items of a list that has pages."""
        c, items = self.connect(), []
        while True:
            a = c.ask("GET", f"{path}{'&' if '?' in path else '?'}limit=1000&offset={len(items)}")
            assert a.status == 200, a.body
            items += a.json["items"]
            if not a.json["items"] or len(items) >= a.json["total"]:
                return items


def ipvs():
    """`ipvsadm -Sn` of this network as {(protocol, frontend): (scheduler, {server: weight})}."""
    out = {}
    text = subprocess.run(["ipvsadm", "-Sn"], check=True, capture_output=True, text=True).stdout
    for line in text.splitlines():
        w = line.split()
        at = (w[1], w[2]) if w[0] == "-A" else (w[1], w[2])
        if w[0] == "-A":
            out[at] = (w[w.index("-s") + 1], {})
        else:
            out[at][1][w[w.index("-r") + 1]] = int(w[w.index("-w") + 1])
    return out
