/** The text of each event, for log lines. It names options as the reader spells them. */

import { type Endpoint, formatEndpoint } from "../net/endpoint.ts";
import type { RejectReason, TargetSwitchReason, TunnelEvent } from "./events.ts";

/** Spells the option that has this key in the library: `--max-sessions` on the command line, for example. */
export type NameOf = (key: string) => string;

type EventOf<Type> = Extract<TunnelEvent, { type: Type }>;
type Describers = {
  readonly [Type in TunnelEvent["type"]]: (event: EventOf<Type>, nameOf: NameOf) => string;
};

/** The event in one line. */
export function describeEvent(event: TunnelEvent, nameOf: NameOf): string {
  // The describer of an event's own type takes that event; TypeScript cannot know that.
  return (DESCRIBERS[event.type] as (event: TunnelEvent, nameOf: NameOf) => string)(event, nameOf);
}

const DESCRIBERS: Describers = {
  // Ports, sockets and interfaces
  listening: ({ tcp, udp }) =>
    [
      ...tcp.map((at) => `listening on TCP ${formatEndpoint(at)}`),
      ...udp.map((at) => `relaying UDP on ${formatEndpoint(at)}`),
    ].join("; "),
  "socket settings": socketSettings,
  "address skipped": ({ message }) =>
    `${message}: this host does not have the address; using the other addresses of that name`,
  "local address unknown": ({ udp, addresses }) =>
    `UDP ${formatEndpoint(udp)} covers ${addresses.join(", ")}. ` +
    "This system does not report which of them a datagram was sent to. " +
    "So an answer may leave from another one, and a program with a connected socket does not receive it. " +
    `Listen on one address, such as ${addresses[0]}/${udp.port}`,
  "interface lost": ({ interface: name }) =>
    `the network interface ${name} was removed, is down or has no address; waiting until it is back`,
  "interface restored": ({ interface: name }) =>
    `the network interface ${name} was created or changed; receiving and sending on it now`,
  "fd limit": ({ limit, sessions, wanted }, nameOf) =>
    `the limit of ${limit} open files allows ${sessions} sessions, not ${wanted}; ` +
    `raise the limit (ulimit -n, LimitNOFILE=) or lower ${nameOf("maxSessions")}`,

  // Connections
  connected: ({ local, remote }) => `connected: TCP ${formatEndpoint(local)} to ${formatEndpoint(remote)}`,
  disconnected: ({ remote, reason, code }, nameOf) =>
    `disconnected from ${formatEndpoint(remote)}: ${reason}${because(code, nameOf)}`,
  "dial failed": ({ message, code, retryInMs }, nameOf) =>
    `${message}${needsCertificate(code) ? ` (${certificateOptions(nameOf)})` : ""}; ` +
    `trying again in ${seconds(retryInMs)}`,
  "mode mismatch": ({ server }, nameOf) =>
    `${server} closed three connections in a row without an answer. ` +
    `Possible causes: it runs without ${nameOf("perSource")}; ` +
    `it has no free session (${nameOf("maxSessions")}, ${nameOf("maxSessionsPerAddress")}); ` +
    `its ${nameOf("allow")} excludes this address; it requires TLS or a secret; it is another program. ` +
    "If it is udptunnel, its log has the cause",
  "connection rejected": ({ remote, reason }) => rejected(remote, rejection(reason)),
  "handshake failed": ({ remote, message }) => rejected(remote, message),
  "wrong secret": ({ remote }) =>
    `${rejected(remote, "it did not prove that it knows the secret")}; ` +
    "this warning appears at most once a minute",
  "peer flapping": ({ address }) =>
    `${address} replaced its own connection three times in 10 s, so the current one is kept for 10 s: ` +
    "do two clients share that address?",
  "address limit": ({ address, sessions }, nameOf) =>
    `rejecting connections from ${address}: it has ${sessions} sessions, the maximum for one address; ` +
    `raise ${nameOf("maxSessionsPerAddress")} if several clients share the address (NAT)`,

  // Access: who can use the tunnel
  "unauthenticated listener": ({ tcp }, nameOf) =>
    `anyone who reaches TCP ${tcp.map(formatEndpoint).join(", ")} can use this tunnel; ` +
    `give ${nameOf("clientCa")} or ${nameOf("secretFile")} to authenticate clients, ` +
    `or ${nameOf("allow")} to limit their addresses (which is not authentication)`,
  "secret exposed": ({ file, mode }) =>
    `users other than the owner can access the secret file ${file} (mode ${mode.toString(8)}); ` +
    `run chmod 600 ${file}`,
  "certificate warning": ({ message }) => message,
  "certificates reloaded": () => "the certificates were reloaded; new connections use them",
  "certificate reload failed": ({ message }) => `${message}; the previous certificates stay in use`,

  // Sessions
  "session opened": ({ source, sessions }) =>
    `session for ${formatEndpoint(source)} opened (${sessions} open)`,
  "session disconnected": ({ source, reason, code }, nameOf) =>
    `session for ${formatEndpoint(source)} disconnected: ${reason}${because(code, nameOf)}`,
  "session closed": ({ source, reason, code, sessions }, nameOf) =>
    `session for ${formatEndpoint(source)} closed: ${reason}${because(code, nameOf)} (${sessions} open)`,
  "session rejected": ({ source, sessions }, nameOf) =>
    `session for ${formatEndpoint(source)} rejected: all ${sessions} sessions are in use; ` +
    `${nameOf("maxSessions")} and the limit of open files (ulimit -n) set the maximum`,

  // Datagrams and their target
  "loop detected": ({ source }, nameOf) =>
    `dropping datagrams that this tunnel sent itself (they arrive from ${formatEndpoint(source)}): ` +
    "both ends probably have the same UDP address on one host; " +
    `give one of them another port or ${nameOf("bind")}`,
  "wrong source": ({ source, expected }, nameOf) =>
    `dropping datagrams from ${formatEndpoint(source)}: only ${expected.join(", ")} may send; ` +
    `add ${source.address} to ${nameOf("from")} to allow it, ` +
    `or allow all sources (${nameOf("anySource")}; with ${nameOf("perSource")}, no ${nameOf("from")})`,
  "unexpected answer": unexpectedAnswer,
  "target refused": ({ target, refusals }) =>
    `UDP ${formatEndpoint(target)} refused ${refusals} datagrams, and nothing has ever arrived from it; ` +
    "check the address. The tunnel keeps sending, in case the program there starts later",
  "target address changed": ({ name, addresses, before, using }) =>
    `${name} is now ${addresses.join(", ")} (was ${before.join(", ")}); datagrams go to ${using}`,
  "target switched": ({ from, to, reason }) =>
    `UDP ${formatEndpoint(from)} ${SWITCH_REASONS[reason]}; trying ${formatEndpoint(to)}`,
  "name lookup failed": ({ name, code, kept }) =>
    `cannot resolve ${name} (${code}); using the last known ${kept.join(", ")}`,
  "sending failed": ({ target, code, lost }) =>
    `cannot send to UDP ${formatEndpoint(target)}: ${code}${lostDatagrams(lost)}${whatToCheck(code)}`,
  "sending recovered": ({ target, lost }) =>
    `sending to UDP ${formatEndpoint(target)} works again${lostDatagrams(lost)}`,
};

/** The error code of a connection that ended, with the likely causes if they are not obvious. */
function because(code: string | undefined, nameOf: NameOf): string {
  const options = certificateOptions(nameOf);
  switch (code) {
    case undefined:
      return "";
    case "TLS_REJECTED":
      return (
        ` (${code}: the peer may be serving another client, ` +
        `or require another client certificate: ${options})`
      );
    case "TLS_NO_CLIENT_CERTIFICATE":
      return ` (${code}: the peer requires a client certificate: ${options})`;
    default:
      return ` (${code})`;
  }
}

/** Whether the server may have rejected this client for lack of the right certificate. */
function needsCertificate(code: string): boolean {
  return code === "TLS_REJECTED" || code === "TLS_NO_CLIENT_CERTIFICATE";
}

function certificateOptions(nameOf: NameOf): string {
  return `${nameOf("cert")}, ${nameOf("key")}`;
}

function rejected(remote: Endpoint, why: string): string {
  return `rejected a connection from ${formatEndpoint(remote)}: ${why}`;
}

function rejection(reason: RejectReason): string {
  return reason === "fd limit"
    ? "fd limit: the process has too few file descriptors left (ulimit -n)"
    : reason;
}

/** What to check when the kernel refuses to send. `ip`, `nft` and `ss` are Linux's tools. */
const CHECKS: Readonly<Record<string, string>> = {
  EPERM: "a firewall on this host drops the datagrams; check its rules for outgoing UDP (nft list ruleset)",
  EACCES: "a route forbids it, or the target is a broadcast address; check the route (ip route get ADDRESS)",
  ENETUNREACH: "this host has no route there; check the routes (ip route get ADDRESS)",
  EHOSTUNREACH: "the host does not answer on its network, or a route forbids it; check ip route get ADDRESS",
  EINVAL: "a route discards it, or the local address cannot reach it; check ip route get ADDRESS",
  EADDRNOTAVAIL:
    "this host no longer has the local address, or all local ports are in use; check ip address and ss -uan",
  EADDRINUSE: "all local ports are in use; check ss -uan",
  ENETDOWN: "the network interface is down; check ip link",
  ENODEV: "the network interface was removed; check ip link",
  ENOBUFS: "the queue of the network interface is full; check ip -s link",
};

function whatToCheck(code: string): string {
  const check = CHECKS[code];
  return check === undefined ? "" : `: ${check}`;
}

function lostDatagrams(count: number): string {
  return count === 0 ? "" : ` (${count} ${count === 1 ? "datagram" : "datagrams"} lost)`;
}

function unexpectedAnswer({ reason, target, source }: EventOf<"unexpected answer">, nameOf: NameOf): string {
  const dropping = `dropping datagrams from ${formatEndpoint(source)} to a session`;
  return reason === "wrong port"
    ? `${dropping}: only port ${target.port} of its target may answer; ` +
        `give ${nameOf("anyPort")} to allow all ports of the target (TFTP)`
    : `${dropping}: only its target ${formatEndpoint(target)} may answer`;
}

const SWITCH_REASONS: Readonly<Record<TargetSwitchReason, string>> = {
  refused: "refuses datagrams",
  "no answer": "does not answer",
  "no socket": "cannot be reached from this host",
};

function socketSettings(
  { segmentOffload, offloadOffReason, receiveBufferBytes, socketBufferBytes }: EventOf<"socket settings">,
  nameOf: NameOf,
): string {
  const offload = `segment offload ${segmentOffload ? "in use" : `not in use (${offloadOffReason})`}`;
  if (receiveBufferBytes === undefined) return offload;
  const buffer = `${offload}; UDP receive buffer: ${receiveBufferBytes} bytes`;
  if (receiveBufferBytes >= socketBufferBytes) return buffer;
  return (
    `${buffer} of the ${socketBufferBytes} requested (${nameOf("socketBufferBytes")}); ` +
    `sysctl net.core.rmem_max=${socketBufferBytes} allows more`
  );
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
