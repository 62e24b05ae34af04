/**
 * The metrics of a tunnel, and where a snapshot has their values. docs/operating.md has a row for each metric
 * (a test compares them).
 */

import { TLS_CODES } from "../net/tls/tls-failure.ts";
import { AUTH_FAILURE_REASONS, DROP_REASONS } from "./counters.ts";
import type { Labels } from "./prometheus-text.ts";
import { isHealthy, type TunnelStats } from "./stats.ts";

type Value = readonly [labels: Labels, value: number];

/** One metric. Every value also gets the label `tunnel`, the tunnel's name. */
export interface TunnelMetric {
  readonly name: string;
  readonly type: "counter" | "gauge";
  readonly help: string;
  /** A tunnel's values; undefined when the system does not report them. */
  readonly of: (stats: TunnelStats) => Iterable<Value> | number | undefined;
}

const DIRECTIONS = ["outbound", "inbound"] as const;
const MS_PER_S = 1000;

function byDirection(key: "received" | "receivedBytes" | "sent" | "sentBytes" | "held") {
  return (stats: TunnelStats): Value[] =>
    DIRECTIONS.map((direction) => [{ direction }, stats[direction][key]]);
}

/** Every reason has a value from the start: rate() needs to have seen the 0. */
function* drops(stats: TunnelStats): Generator<Value> {
  for (const direction of DIRECTIONS)
    for (const reason of DROP_REASONS) yield [{ direction, reason }, stats[direction].dropped[reason]];
}

/** One time over all open streams, in seconds. */
function overStreams(key: "rttMs" | "minRttMs", pick: (...values: number[]) => number) {
  return ({ streams }: TunnelStats): number | undefined => {
    const known = streams.map((stream) => stream[key]).filter((ms) => ms !== undefined);
    return known.length === 0 ? undefined : known.reduce((a, b) => pick(a, b)) / MS_PER_S;
  };
}

const COUNTERS: readonly Omit<TunnelMetric, "type">[] = [
  {
    name: "udptunnel_datagrams_received_total",
    help: "Datagrams received; outbound is from UDP to TCP.",
    of: byDirection("received"),
  },
  {
    name: "udptunnel_received_bytes_total",
    help: "Payload bytes of the received datagrams.",
    of: byDirection("receivedBytes"),
  },
  {
    name: "udptunnel_datagrams_sent_total",
    help: "Datagrams that the kernel accepted.",
    of: byDirection("sent"),
  },
  {
    name: "udptunnel_sent_bytes_total",
    help: "Bytes that the kernel accepted; outbound includes the frame headers.",
    of: byDirection("sentBytes"),
  },
  {
    name: "udptunnel_datagrams_dropped_total",
    help: "Received datagrams that were dropped.",
    of: drops,
  },
  {
    name: "udptunnel_kernel_drops_total",
    help: "Datagrams that the kernel dropped before udptunnel received them.",
    of: ({ kernelDrops }) => kernelDrops,
  },
  {
    name: "udptunnel_tcp_write_calls_total",
    help: "System calls that wrote to TCP.",
    of: ({ writes }) => writes,
  },
  {
    name: "udptunnel_udp_send_calls_total",
    help: "System calls that sent UDP datagrams.",
    of: ({ sends }) => sends,
  },
  {
    name: "udptunnel_connections_total",
    help: "TCP connections established.",
    of: ({ connects }) => connects,
  },
  {
    name: "udptunnel_connections_rejected_total",
    help: "Incoming TCP connections that were rejected.",
    of: ({ rejectedConnections }) => rejectedConnections,
  },
  {
    name: "udptunnel_connections_auth_failed_total",
    help: "Rejected TCP connections that did not authenticate with the secret.",
    of: ({ authFailures }) => AUTH_FAILURE_REASONS.map((reason) => [{ reason }, authFailures[reason]]),
  },
  {
    name: "udptunnel_connections_handshake_failed_total",
    help: "Rejected TCP connections whose TLS handshake failed.",
    of: ({ failedHandshakes }) => TLS_CODES.map((code) => [{ code }, failedHandshakes[code]]),
  },
  {
    name: "udptunnel_icmp_refusals_total",
    help: "ICMP errors that reported a refused datagram.",
    of: ({ refusals }) => refusals,
  },
  {
    name: "udptunnel_socket_errors_total",
    help: "Errors of UDP sockets, except ICMP refusals.",
    of: ({ socketErrors }) => socketErrors,
  },
  {
    name: "udptunnel_tcp_retransmits_total",
    help: "TCP segments retransmitted.",
    of: ({ retransmits }) => retransmits,
  },
];

const GAUGES: readonly Omit<TunnelMetric, "type">[] = [
  {
    name: "udptunnel_up",
    help: "1 if the tunnel is connected or listening, and can send to UDP.",
    of: (stats) => Number(isHealthy(stats)),
  },
  {
    name: "udptunnel_uptime_seconds",
    help: "Time since the tunnel started.",
    of: ({ uptimeMs }) => uptimeMs / MS_PER_S,
  },
  {
    name: "udptunnel_open_connections",
    help: "Open TCP connections.",
    of: ({ streams }) => streams.length,
  },
  { name: "udptunnel_sessions", help: "Open sessions of per-source mode.", of: ({ sessions }) => sessions },
  {
    name: "udptunnel_datagrams_held",
    help: "Received datagrams that are neither sent nor dropped yet.",
    of: byDirection("held"),
  },
  {
    name: "udptunnel_queue_bytes",
    help: "Bytes in the queue for TCP, frame headers included.",
    of: ({ queueBytes }) => queueBytes,
  },
  {
    name: "udptunnel_undelivered_bytes",
    help: "Bytes received from TCP that wait for a time slice or for the UDP socket.",
    of: ({ undeliveredBytes }) => undeliveredBytes,
  },
  {
    name: "udptunnel_tcp_rtt_seconds",
    help: "Round trip time, the longest of all open connections.",
    of: overStreams("rttMs", Math.max),
  },
  {
    name: "udptunnel_tcp_min_rtt_seconds",
    help: "Minimum round trip time of the last minutes, the shortest of all open connections.",
    of: overStreams("minRttMs", Math.min),
  },
];

export const TUNNEL_METRICS: readonly TunnelMetric[] = [
  ...COUNTERS.map((metric) => ({ ...metric, type: "counter" as const })),
  ...GAUGES.map((metric) => ({ ...metric, type: "gauge" as const })),
];
