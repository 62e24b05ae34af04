"""The service manager's end of sd_notify(3): prints each datagram of a Unix socket as a line.

notified.py PATH            after a line "ready"; a path that starts with @ is an abstract name

The lines of one datagram become one line. For MONOTONIC_USEC it prints whether the time lies between the arrival of the
datagram before and now.
"""

import re
import socket
import sys
import time

path = sys.argv[1]
last = 0


def judged(match: re.Match[str]) -> str:
    return "=in time" if last <= int(match[1]) * 1000 <= time.monotonic_ns() else f"={match[1]}"


with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
    manager.bind("\0" + path[1:] if path.startswith("@") else path)
    print("ready", flush=True)
    while True:
        lines = manager.recv(4096).decode().split("\n")
        print(re.sub(r"(?<=MONOTONIC_USEC)=(\d+)", judged, " ".join(lines)), flush=True)
        last = time.monotonic_ns()
