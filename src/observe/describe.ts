/** Events as lines for people. */

import { formatEndpoint } from "../net/endpoint.ts";
import type { SystemReport } from "../net/network.ts";
import type { RejectReason, TargetSwitchReason, TunnelEvent } from "./events.ts";

/** What happened, in one line. */
// biome-ignore lint/complexity/noExcessiveLinesPerFunction: one short case for each event.
export function describe(event: TunnelEvent): string {
  switch (event.type) {
    case "listening":
      return [
        ...event.tcp.map((at) => `listening on TCP ${formatEndpoint(at)}`),
        ...event.udp.map(boundUdp),
      ].join("; ");
    case "connected":
      return `connected: TCP ${formatEndpoint(event.local)} to ${formatEndpoint(event.remote)}`;
    case "disconnected":
      return `disconnected from ${formatEndpoint(event.remote)}: ${event.reason}${because(event.code)}`;
    case "socket settings":
      return sockets(event);
    case "dial failed":
      return `${event.message}; trying again in ${seconds(event.retryInMs)}`;
    case "connection rejected":
      return `refused a connection from ${formatEndpoint(event.remote)}: ${refusal(event.reason)}`;
    case "handshake failed":
      return `refused a connection from ${formatEndpoint(event.remote)}: ${event.message}`;
    case "session opened":
      return `session for ${formatEndpoint(event.source)} opened (${event.sessions} now)`;
    case "session disconnected":
      return `session for ${formatEndpoint(event.source)} disconnected: ${event.reason}${because(event.code)}`;
    case "session closed":
      return (
        `session for ${formatEndpoint(event.source)} closed: ${event.reason}${because(event.code)} ` +
        `(${event.sessions} now)`
      );
    case "session rejected":
      return (
        `no room for a session for ${formatEndpoint(event.source)}: all ${event.sessions} are in use; ` +
        "--max-sessions and the limit of open files (ulimit -n) decide how many there may be"
      );
    case "mode mismatch":
      return (
        `${event.server} has closed three connections in a row without answering. It may lack --per-source (-p), have no ` +
        "session left (--max-sessions, --max-sessions-per-address), not allow this address (--allow), require TLS or a " +
        "secret, or be another program. If it is udptunnel, its log says which"
      );
    case "fd limit":
      return (
        `the limit of ${event.limit} open files holds ${event.sessions} sessions, not ${event.wanted}; ` +
        "raise it (ulimit -n, LimitNOFILE=) or lower --max-sessions"
      );
    case "local address unknown":
      return (
        `UDP ${formatEndpoint(event.udp)} stands for ${event.addresses.join(", ")}. This system does not report to which of ` +
        "them a datagram was sent, so an answer may leave from another one, and a program with a connected socket then " +
        `does not receive it. Listen on one address, such as ${event.addresses[0]}/${event.udp.port}`
      );
    case "loop detected":
      return (
        `dropping datagrams that this tunnel itself sent (they come back from ${formatEndpoint(event.source)}): ` +
        "both ends seem to be given the same UDP address on one host; give one of them another port or --bind"
      );
    case "wrong source":
      return (
        `dropping datagrams from ${formatEndpoint(event.source)}: only ${event.expected.join(", ")} may send; ` +
        `--from ${event.source.address} lets this one in, --any-source everyone`
      );
    case "unexpected answer":
      return unexpectedAnswer(event);
    case "target refused":
      return (
        `nobody listens on UDP ${formatEndpoint(event.target)} (refused ${event.refusals} times), and nothing has ever come ` +
        "from there: is the address mistyped? Going on, in case it starts later"
      );
    case "target address changed":
      return (
        `${event.name} is now ${event.addresses.join(", ")} (was ${event.before.join(", ")}); ` +
        `datagrams go to ${event.using}`
      );
    case "target switched":
      return `UDP ${formatEndpoint(event.from)} ${SWITCH_REASONS[event.reason]}; trying ${formatEndpoint(event.to)}`;
    case "address skipped":
      return `${event.message}: this host lacks the address; going on with the others of that name`;
    case "sending failed":
      return `cannot send to UDP ${formatEndpoint(event.target)}: ${event.code}${lost(event.lost)}${whatToCheck(event.code)}`;
    case "sending recovered":
      return `sending to UDP ${formatEndpoint(event.target)} works again${lost(event.lost)}`;
    case "interface lost":
      return `the network interface ${event.interface} is gone, down or without an address; waiting for it to come back`;
    case "interface restored":
      return `the network interface ${event.interface} is new or changed; receiving and sending there from now on`;
    case "unauthenticated listener":
      return (
        `anyone who reaches TCP ${event.tcp.map(formatEndpoint).join(", ")} can use this tunnel; ` +
        "--client-ca or --secret-file lets in only who proves to belong here, " +
        "--allow ADDR[/PREFIX] limits the addresses (which is no authentication)"
      );
    case "wrong secret":
      return (
        `${formatEndpoint(event.remote)} did not prove that it knows the secret, and was refused; ` +
        "more such connections are counted, and shown by -v"
      );
    case "secret exposed":
      return (
        `others than its owner may use the secret's file ${event.file} (mode ${event.mode.toString(8)}); ` +
        `chmod 600 ${event.file}`
      );
    case "certificate warning":
      return event.message;
    case "certificates reloaded":
      return "the certificates have been read again; new connections use them";
    case "certificate reload failed":
      return `${event.message}; the certificates read before stay in use`;
    case "address limit":
      return (
        `refusing connections from ${event.address}: it has the ${event.sessions} sessions that one address may have; ` +
        "--max-sessions-per-address allows more (clients behind one NAT share an address)"
      );
    case "peer flapping":
      return (
        `${event.address} has replaced its own connection three times in 10 s, so the present one is kept for 10 s: ` +
        "do two clients share that address?"
      );
    case "name lookup failed":
      return `cannot resolve ${event.name} (${event.code}); using the last known ${event.kept.join(", ")}`;
  }
}

/** The cause, where there is a code; in words, where the code says that it is likely a mistake of ours. */
function because(code: string | undefined): string {
  switch (code) {
    case undefined:
      return "";
    case "TLS_REJECTED":
      return ` (${code}: it may serve somebody else, or want another client certificate than ours: --cert, --key)`;
    case "TLS_NO_CLIENT_CERTIFICATE":
      return ` (${code}: it asks for a client certificate: --cert, --key)`;
    default:
      return ` (${code})`;
  }
}

/** Where to look for the cause when the kernel refuses to send. `ip`, `nft` and `ss` are Linux's tools. */
const CHECKS: Readonly<Record<string, string>> = {
  EPERM: "a firewall on this host drops the datagrams; check its rules for outgoing UDP (nft list ruleset)",
  EACCES: "a route forbids it, or the target is a broadcast address; check the route (ip route get ADDRESS)",
  ENETUNREACH: "this host has no route there; check the routes (ip route get ADDRESS)",
  EHOSTUNREACH: "the host does not answer on its network, or a route forbids it; check ip route get ADDRESS",
  EINVAL: "a route discards it, or the local address cannot reach it; check ip route get ADDRESS",
  EADDRNOTAVAIL: "the local address is gone, or all local ports are in use; check ip address and ss -uan",
  EADDRINUSE: "all local ports are in use; check ss -uan",
  ENETDOWN: "the network interface is down; check ip link",
  ENODEV: "the network interface is gone; check ip link",
  ENOBUFS: "the queue of the network interface is full; check ip -s link",
};

function whatToCheck(code: string): string {
  const check = CHECKS[code];
  return check === undefined ? "" : `: ${check}`;
}

function lost(datagrams: number): string {
  return datagrams === 0 ? "" : ` (${datagrams} ${datagrams === 1 ? "datagram" : "datagrams"} lost)`;
}

function unexpectedAnswer({
  reason,
  target,
  source,
}: Extract<TunnelEvent, { type: "unexpected answer" }>): string {
  const dropping = `dropping datagrams from ${formatEndpoint(source)} to a session`;
  return reason === "wrong port"
    ? `${dropping}: only port ${target.port} of its target may answer; --any-port allows all its ports (TFTP)`
    : `${dropping}: only its target ${formatEndpoint(target)} may answer`;
}

const SWITCH_REASONS: Readonly<Record<TargetSwitchReason, string>> = {
  refused: "refuses datagrams",
  "no answer": "does not answer",
  "no socket": "cannot be sent to from this host",
};

function boundUdp(at: { address: string; port: number }): string {
  return `relaying UDP on ${formatEndpoint(at)}`;
}

function sockets({
  segmentOffload,
  offloadLack,
  receiveBufferBytes,
  socketBufferBytes,
}: SystemReport): string {
  const offload = `segment offload ${segmentOffload ? "in use" : `not in use (${offloadLack})`}`;
  if (receiveBufferBytes === undefined) return offload;
  const buffer = `${offload}; UDP receive buffer: ${receiveBufferBytes} bytes`;
  if (receiveBufferBytes >= socketBufferBytes) return buffer;
  return `${buffer} of the ${socketBufferBytes} asked for; sysctl net.core.rmem_max=${socketBufferBytes} allows more`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function refusal(reason: RejectReason): string {
  return reason === "fd limit" ? "fd limit: too few descriptors are left (ulimit -n)" : reason;
}
