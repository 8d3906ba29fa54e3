# SPDX-License-Identifier: GPL-2.0-or-later
"""What programs share that listen in a network namespace and work from another."""

import ctypes
import os
import sys
import threading

CLONE_NEWNET = 0x40000000


def in_network(path, do):
    """Calls do() in that network namespace (a path; None: this one); a socket stays where it was made."""
    made = []

    def run():
        if path:
            fd = os.open(path, os.O_RDONLY)
            if ctypes.CDLL(None, use_errno=True).setns(fd, CLONE_NEWNET) != 0:
                print(f"{sys.argv[0]}: {path}: {os.strerror(ctypes.get_errno())}", file=sys.stderr)
                return
            os.close(fd)
        made.append(do())

    # A thread of its own, for it never comes back.
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if not made:
        sys.exit(1)
    return made[0]


def host_port(text):
    host, port = text.rsplit(":", 1)
    return host.strip("[]"), int(port)
