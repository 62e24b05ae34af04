"""A member of a multicast group: prints received datagrams on stderr, or sends one datagram.

member.py receive GROUP PORT INTERFACE        lines "PAYLOAD from ADDRESS ttl TTL", after a line "ready"
member.py send TO PORT INTERFACE FROM TTL PAYLOAD
"""

import socket
import struct
import sys

# Python lacks this constant (ip(7)).
IP_RECVTTL = 12


def membership(group, index):
    if ":" in group:
        return struct.pack("16sI", socket.inet_pton(socket.AF_INET6, group), index)
    return struct.pack("4s4si", socket.inet_aton(group), bytes(4), index)


def endpoint(address, port, interface):
    if ":" in address:
        return address, int(port), 0, socket.if_nametoindex(interface)
    return address, int(port)


def receive(group, port, interface):
    six = ":" in group
    level = socket.IPPROTO_IPV6 if six else socket.IPPROTO_IP
    member = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
    member.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    member.bind(endpoint(group, port, interface))
    join = socket.IPV6_JOIN_GROUP if six else socket.IP_ADD_MEMBERSHIP
    member.setsockopt(level, join, membership(group, socket.if_nametoindex(interface)))
    member.setsockopt(level, socket.IPV6_RECVHOPLIMIT if six else IP_RECVTTL, 1)
    print("ready", file=sys.stderr, flush=True)
    while True:
        payload, ancillary, _, source = member.recvmsg(65535, 64)
        (ttl,) = struct.unpack("i", ancillary[0][2])
        print(payload.decode(), "from", source[0], "ttl", ttl, file=sys.stderr, flush=True)


def send(to, port, interface, source, ttl, payload):
    six = ":" in to
    level = socket.IPPROTO_IPV6 if six else socket.IPPROTO_IP
    member = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
    member.bind((source, 0))
    index = socket.if_nametoindex(interface)
    if six:
        member.setsockopt(level, socket.IPV6_MULTICAST_IF, index)
        member.setsockopt(level, socket.IPV6_MULTICAST_HOPS, int(ttl))
    else:
        member.setsockopt(level, socket.IP_MULTICAST_IF, struct.pack("4s4si", bytes(4), bytes(4), index))
        member.setsockopt(level, socket.IP_MULTICAST_TTL, int(ttl))
    member.sendto(payload.encode(), endpoint(to, port, interface))


{"receive": receive, "send": send}[sys.argv[1]](*sys.argv[2:])
