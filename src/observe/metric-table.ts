/** What is measured, and how to find it in a snapshot. docs/operating.md has a row for each (a test compares them). */

import { TLS_CODES } from "../net/tls/tls-failure.ts";
import { AUTH_FAILURE_REASONS, DROP_REASONS } from "./counters.ts";
import { isHealthy, type TunnelStats } from "./stats.ts";

type Labels = Readonly<Record<string, string>>;
/** One value, and what tells it from the others of its metric. */
export type Sample = readonly [labels: Labels, value: number];

/** One metric; every sample also has the tunnel's name as the label `tunnel`. */
export interface Definition {
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
  /** What a tunnel has of it; a value that is not known is left out. */
  readonly of: (stats: TunnelStats) => Iterable<Sample> | number | undefined;
}

const DIRECTIONS = ["outbound", "inbound"] as const;
const MS_PER_S = 1000;

function eachDirection(key: "received" | "receivedBytes" | "sent" | "sentBytes" | "held") {
  return (stats: TunnelStats): Sample[] =>
    DIRECTIONS.map((direction) => [{ direction }, stats[direction][key]]);
}

/** Every reason from the start: a rate needs to have seen the 0. */
function* drops(stats: TunnelStats): Generator<Sample> {
  for (const direction of DIRECTIONS)
    for (const reason of DROP_REASONS) yield [{ direction, reason }, stats[direction].dropped[reason]];
}

/** Over the streams that are up, of a time in milliseconds. */
function overStreams(key: "rttMs" | "minRttMs", pick: (...values: number[]) => number) {
  return ({ streams }: TunnelStats): number | undefined => {
    const known = streams.map((stream) => stream[key]).filter((ms) => ms !== undefined);
    return known.length === 0 ? undefined : known.reduce((a, b) => pick(a, b)) / MS_PER_S;
  };
}

const BOTH = ["direction"];

/** What only grows. */
export const COUNTERS: readonly Definition[] = [
  {
    name: "udptunnel_datagrams_received_total",
    help: "Datagrams taken in; outbound is from UDP into TCP.",
    labels: BOTH,
    of: eachDirection("received"),
  },
  {
    name: "udptunnel_received_bytes_total",
    help: "Payload of the datagrams taken in.",
    labels: BOTH,
    of: eachDirection("receivedBytes"),
  },
  {
    name: "udptunnel_datagrams_sent_total",
    help: "Datagrams handed to the kernel.",
    labels: BOTH,
    of: eachDirection("sent"),
  },
  {
    name: "udptunnel_sent_bytes_total",
    help: "Bytes handed to the kernel; outbound with the headers of frames.",
    labels: BOTH,
    of: eachDirection("sentBytes"),
  },
  {
    name: "udptunnel_datagrams_dropped_total",
    help: "Datagrams taken in and lost.",
    labels: [...BOTH, "reason"],
    of: drops,
  },
  {
    name: "udptunnel_kernel_drops_total",
    help: "Datagrams the kernel dropped before they could be taken in.",
    of: ({ kernelDrops }) => kernelDrops,
  },
  { name: "udptunnel_tcp_write_calls_total", help: "Writes to TCP.", of: ({ writes }) => writes },
  {
    name: "udptunnel_udp_send_calls_total",
    help: "System calls that sent datagrams to UDP.",
    of: ({ sends }) => sends,
  },
  {
    name: "udptunnel_connections_total",
    help: "TCP connections that came up.",
    of: ({ connects }) => connects,
  },
  {
    name: "udptunnel_connections_rejected_total",
    help: "Incoming TCP connections that were rejected.",
    of: ({ rejectedConnections }) => rejectedConnections,
  },
  {
    name: "udptunnel_connections_auth_failed_total",
    help: "Those of them that did not prove that they know the secret.",
    labels: ["reason"],
    of: ({ authFailures }) => AUTH_FAILURE_REASONS.map((reason) => [{ reason }, authFailures[reason]]),
  },
  {
    name: "udptunnel_connections_handshake_failed_total",
    help: "Those of them whose TLS handshake failed.",
    labels: ["code"],
    of: ({ failedHandshakes }) => TLS_CODES.map((code) => [{ code }, failedHandshakes[code]]),
  },
  {
    name: "udptunnel_icmp_refusals_total",
    help: "Times nobody listened where a datagram was sent.",
    of: ({ refusals }) => refusals,
  },
  {
    name: "udptunnel_socket_errors_total",
    help: "Other errors of UDP sockets.",
    of: ({ socketErrors }) => socketErrors,
  },
  {
    name: "udptunnel_tcp_retransmits_total",
    help: "TCP segments sent again.",
    of: ({ retransmits }) => retransmits,
  },
];

/** What comes and goes. */
export const GAUGES: readonly Definition[] = [
  {
    name: "udptunnel_up",
    help: "Whether a stream is up or a listener ready, and UDP can be sent.",
    of: (stats) => Number(isHealthy(stats)),
  },
  {
    name: "udptunnel_uptime_seconds",
    help: "Time since the tunnel was started.",
    of: ({ uptimeMs }) => uptimeMs / MS_PER_S,
  },
  {
    name: "udptunnel_open_connections",
    help: "TCP connections that are up.",
    of: ({ streams }) => streams.length,
  },
  { name: "udptunnel_sessions", help: "Sessions of per-source mode.", of: ({ sessions }) => sessions },
  {
    name: "udptunnel_datagrams_held",
    help: "Datagrams that wait.",
    labels: BOTH,
    of: eachDirection("held"),
  },
  { name: "udptunnel_queue_bytes", help: "What waits for TCP.", of: ({ queueBytes }) => queueBytes },
  {
    name: "udptunnel_undelivered_bytes",
    help: "Bytes of TCP chunks whose rest waits for the time slice or for UDP.",
    of: ({ undeliveredBytes }) => undeliveredBytes,
  },
  {
    name: "udptunnel_tcp_rtt_seconds",
    help: "Round trip time, the longest of the streams that are up.",
    of: overStreams("rttMs", Math.max),
  },
  {
    name: "udptunnel_tcp_min_rtt_seconds",
    help: "Least round trip time of the last minutes, the shortest of the streams that are up.",
    of: overStreams("minRttMs", Math.min),
  },
];
