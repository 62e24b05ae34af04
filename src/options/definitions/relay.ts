/** Options for the addresses of a tunnel, the kind of traffic, and who may use the tunnel. */

import { type OptionDefinition, PEER, UNICAST } from "../definition.ts";

export const RELAY_OPTIONS = [
  {
    name: "server",
    key: "listen",
    short: "s",
    kind: "endpoint",
    form: { hostOptional: true, portZero: true },
    argument: "[TCP-addr/]TCP-port",
    group: "Addresses",
    role: "server",
    help:
      "Be the server: listen for the TCP connection on this port, on all addresses unless one is given. A " +
      "host name stands for all its addresses.",
    usual: "be the server: listen for the TCP connection",
  },
  {
    name: "client",
    key: "connect",
    short: "c",
    kind: "endpoint",
    form: { portOptional: true },
    argument: "TCP-addr[/TCP-port]",
    group: "Addresses",
    role: "client",
    repeatable: true,
    help:
      "Be the client: connect to this server. Without a port, the number of the UDP port is used. May be " +
      "given again: when one server fails, the next is tried.",
    usual: "be the client: connect to the server",
  },
  {
    name: "target",
    key: "target",
    kind: "endpoint",
    form: { ttl: true, portZero: true },
    argument: "UDP-addr/UDP-port[/ttl]",
    group: "Addresses",
    operand: true,
    help:
      "Send datagrams from the tunnel to this address, and receive datagrams for the tunnel on the same " +
      "port number. The time to live, 0 to 255 (default 1), is for multicast groups.",
  },
  {
    name: "bind",
    key: "bind",
    kind: "endpoint",
    form: { portOptional: true, portZero: true },
    argument: "ADDR[/PORT]",
    group: "Addresses",
    help:
      "The local UDP address. Default: any address of the target's family; for a client with -p, the UDP " +
      "address. Only a client with -p accepts a port: it listens there in place of UDP-port.",
    usual: "receive UDP on this local address only",
  },
  {
    name: "tcp-bind",
    key: "tcpBind",
    kind: "host",
    argument: "ADDR",
    group: "Addresses",
    role: "client",
    help: "Connect from this local address. Default: chosen by the system.",
  },
  {
    name: "ipv4",
    key: "family",
    short: "4",
    kind: "flag",
    means: 4,
    group: "Addresses",
    help: "Use IPv4 addresses only.",
  },
  {
    name: "ipv6",
    key: "family",
    short: "6",
    kind: "flag",
    means: 6,
    group: "Addresses",
    help: "Use IPv6 addresses only.",
  },
  {
    name: "per-source",
    key: "perSource",
    short: "p",
    kind: "flag",
    group: "Traffic",
    help:
      "Use one TCP connection for each UDP source, so that answers reach the right source (DNS, " +
      "WireGuard, games). The client listens on the UDP address; the server sends to it. Give it on both " +
      "ends.",
    usual: "one TCP connection for each UDP source",
  },
  {
    name: "any-port",
    key: "anyPort",
    scope: { kinds: ["session server"] },
    kind: "flag",
    group: "Traffic",
    role: "server",
    help:
      "With -p, accept answers from every port of the target's host. The session then sends to the port " +
      "that answered last (TFTP).",
  },
  {
    name: "rtp",
    key: "rtp",
    scope: { kinds: PEER },
    short: "r",
    kind: "flag",
    group: "Traffic",
    help:
      "Relay RTP and RTCP: ports N and N+1, both TCP and UDP. Every port given must be even. Give it on " +
      "both ends.",
    usual: "RTP and RTCP: ports N and N+1, N even",
  },
  {
    name: "once",
    key: "once",
    scope: { kinds: PEER },
    kind: "flag",
    group: "Traffic",
    help: "End when the TCP connection ends or cannot be made, as the original program does.",
    usual: "end when the TCP connection ends",
  },
  {
    name: "udp-send-only",
    key: "udpSendOnly",
    scope: { kinds: PEER },
    short: "S",
    kind: "flag",
    group: "Traffic",
    help: "Only send UDP; receive none.",
  },
  {
    name: "udp-receive-only",
    key: "udpReceiveOnly",
    scope: { kinds: PEER },
    short: "R",
    kind: "flag",
    group: "Traffic",
    help: "Only receive UDP; count and discard datagrams from the tunnel.",
  },
  {
    name: "interface",
    key: "interface",
    scope: { kinds: ["multicast", "link-local"] },
    kind: "text",
    argument: "NAME|ADDR",
    group: "Multicast",
    help:
      "Join the group and send to it on this interface, or reach a link-local target through it. Give its " +
      "name or one of its addresses. Default: chosen by the system.",
  },
  {
    name: "source",
    key: "source",
    scope: { kinds: ["multicast"], notWith: "udpSendOnly" },
    kind: "address",
    argument: "ADDR",
    group: "Multicast",
    repeatable: true,
    help:
      "Join the group for datagrams from this sender only (source-specific multicast). May be given " +
      "again.",
  },
  {
    name: "loop",
    key: "loop",
    scope: { kinds: ["multicast"], notWith: "udpReceiveOnly" },
    kind: "flag",
    group: "Multicast",
    help: "Deliver datagrams to members of the group on this host, too.",
  },
  {
    name: "any-source",
    key: "anySource",
    scope: { kinds: UNICAST, notWith: "udpSendOnly" },
    kind: "flag",
    group: "Access",
    help: "Relay datagrams from any UDP source, not only from the target's address.",
    usual: "relay from any UDP source",
  },
  {
    name: "from",
    key: "from",
    scope: { kinds: [...UNICAST, "session client"], notWith: "udpSendOnly" },
    kind: "network",
    argument: "ADDR[/PREFIX]",
    group: "Access",
    repeatable: true,
    help:
      "Relay datagrams from these addresses, too, not only from the target's. For a client with -p: from " +
      "these addresses only. May be given again.",
  },
  {
    name: "allow",
    key: "allow",
    kind: "network",
    argument: "ADDR[/PREFIX]",
    group: "Access",
    role: "server",
    repeatable: true,
    help:
      "Accept TCP connections from these addresses only. May be given again. This does not authenticate " +
      "clients.",
    usual: "accept TCP connections from here only",
  },
  {
    name: "secret-file",
    key: "secretFile",
    kind: "secret file",
    argument: "FILE",
    group: "Access",
    help:
      "Relay only after both ends have proved that they know the secret in this file: at least 16 bytes, " +
      "not counting a line break at the end. Give it on both ends. This does not encrypt.",
    usual: "both ends must know the secret in this file",
  },
  {
    name: "secret",
    key: "secret",
    kind: "secret",
    argument: "SECRET",
    group: "Access",
    environmentOnly: true,
    help:
      "The secret itself, in place of --secret-file. It has no flag, because other users of the host can " +
      "read arguments.",
  },
  {
    name: "require-auth",
    key: "requireAuth",
    kind: "flag",
    group: "Access",
    role: "server",
    help:
      "Refuse to start unless clients must authenticate, by --client-ca or --secret-file. --allow does " +
      "not count.",
  },
] as const satisfies readonly OptionDefinition[];
