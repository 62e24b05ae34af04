/**
 * Constants of the Linux kernel interface for 64-bit x86 and ARM (asm-generic), the architectures of Bun.
 * Each group names its header.
 */

// bits/socket.h
export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;
export const MSG_PEEK = 0x2;
export const MSG_DONTWAIT = 0x40;
export const MSG_ERRQUEUE = 0x2000;
export const MSG_NOSIGNAL = 0x4000;

// asm-generic/socket.h; socket(7)
export const SOL_SOCKET = 1;
export const SO_SNDBUF = 7;
export const SO_RCVBUF = 8;
export const SO_ATTACH_FILTER = 26;
export const SO_SNDBUFFORCE = 32;
export const SO_RCVBUFFORCE = 33;
export const SO_MARK = 36;
export const SO_KEEPALIVE = 9;
export const SO_DOMAIN = 39;
export const SO_MEMINFO = 55;
/** The index of the drop count in the result of SO_MEMINFO (linux/sock_diag.h). */
export const SK_MEMINFO_DROPS = 8;
/** The number of 32-bit values in the result of SO_MEMINFO (linux/sock_diag.h). */
export const SK_MEMINFO_VARS = 9;

// linux/in.h; ip(7)
export const IPPROTO_IP = 0;
export const IP_TOS = 1;
export const IP_PKTINFO = 8;
export const IP_RECVERR = 11;
export const IP_RECVTOS = 13;
export const IP_BIND_ADDRESS_NO_PORT = 24;
export const IP_MULTICAST_TTL = 33;

// linux/in6.h; ipv6(7)
export const IPPROTO_IPV6 = 41;
export const IPV6_MULTICAST_HOPS = 18;
export const IPV6_RECVERR = 25;
export const IPV6_RECVPKTINFO = 49;
export const IPV6_PKTINFO = 50;
export const IPV6_RECVTCLASS = 66;
export const IPV6_TCLASS = 67;

// linux/tcp.h; tcp(7)
export const IPPROTO_TCP = 6;
export const TCP_KEEPIDLE = 4;
export const TCP_KEEPINTVL = 5;
export const TCP_KEEPCNT = 6;
export const TCP_INFO = 11;
export const TCP_USER_TIMEOUT = 18;

// linux/udp.h; udp(7)
export const SOL_UDP = 17;
export const UDP_SEGMENT = 103;
export const UDP_GRO = 104;

// linux/sockios.h: TIOCOUTQ of asm-generic/ioctls.h
export const SIOCOUTQ = 0x5411;

// bits/eventfd.h; eventfd(2)
export const EFD_CLOEXEC = 0o2000000;

// linux/time.h; clock_gettime(2)
export const CLOCK_MONOTONIC = 1;

// asm-generic/fcntl.h and linux/fcntl.h; fcntl(2)
export const F_DUPFD_CLOEXEC = 1030;
