"""Runs a command as on a kernel without some address families, or under systemd's RestrictAddressFamilies=.

A seccomp filter makes socket() fail with EAFNOSUPPORT. The first argument is the list of families, such as AF_INET6 or
AF_UNIX,AF_NETLINK.
"""

import ctypes
import errno
import os
import socket
import sys

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD, IF_EQUAL, RETURN = 0x20, 0x15, 0x06  # linux/filter.h
ALLOW, ERRNO = 0x7FFF0000, 0x00050000  # linux/seccomp.h
NUMBER, FIRST_ARGUMENT = 0, 16  # offsets in struct seccomp_data
SYS_SOCKET = {"x86_64": 41, "aarch64": 198}[os.uname().machine]


class Instruction(ctypes.Structure):
    _fields_ = [("code", ctypes.c_ushort), ("jt", ctypes.c_ubyte), ("jf", ctypes.c_ubyte), ("k", ctypes.c_uint)]


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.POINTER(Instruction))]


families = [getattr(socket, name) for name in sys.argv[1].split(",")]
refusals = [
    part
    for family in families
    for part in (Instruction(IF_EQUAL, 0, 1, family), Instruction(RETURN, 0, 0, ERRNO | errno.EAFNOSUPPORT))
]
instructions = [
    Instruction(LOAD, 0, 0, NUMBER),
    Instruction(IF_EQUAL, 0, 1 + len(refusals), SYS_SOCKET),
    Instruction(LOAD, 0, 0, FIRST_ARGUMENT),
    *refusals,
    Instruction(RETURN, 0, 0, ALLOW),
]
program = Program(len(instructions), (Instruction * len(instructions))(*instructions))
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program)):
    sys.exit(f"no seccomp: {os.strerror(ctypes.get_errno())}")
os.execvp(sys.argv[2], sys.argv[2:])
