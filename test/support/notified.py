"""A service manager's end of sd_notify(3): prints each datagram that comes to the Unix socket as a line.

notified.py PATH            after a line "ready"; a path that starts with @ is an abstract name
"""

import socket
import sys

path = sys.argv[1]
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
    manager.bind("\0" + path[1:] if path.startswith("@") else path)
    print("ready", flush=True)
    while True:
        print(manager.recv(4096).decode(), flush=True)
