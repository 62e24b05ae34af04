/** Snapshots as lines of text. */

import { formatEndpoint } from "../net/endpoint.ts";
import type { DelayStats, DirectionStats, TunnelStats } from "./stats.ts";

/**
 * The status in a few lines.
 *
 * @param before an earlier snapshot: rates and delays cover the time since then.
 */
export function statusLines(now: TunnelStats, before: TunnelStats): string[] {
  return [
    [...state(now), `up ${duration(now.uptimeMs)}`, ...roundTrip(now), ...sessions(now)].join(", "),
    [
      `out ${rates(now, before, "outbound")}`,
      `queue ${bytes(now.queueBytes)}`,
      `delay ${delayBetween(now.delay, before.delay)}`,
    ].join(", "),
    `in ${rates(now, before, "inbound")}`,
    `dropped out ${drops(now.outbound)}; in ${drops(now.inbound)}${kernel(now)}`,
  ];
}

/** The status in one line. */
export function statusLine(now: TunnelStats, before: TunnelStats): string {
  return statusLines(now, before).join("; ");
}

/** A summary of everything since the tunnel's start, in one line. */
export function summaryLine(stats: TunnelStats): string {
  const { outbound, inbound, connects, uptimeMs } = stats;
  const directionText = (name: string, { received, sent, dropped }: DirectionStats) =>
    `${name} ${received} received, ${sent} sent, ${drops({ dropped })} dropped`;
  const connections = `${connects} ${connects === 1 ? "connection" : "connections"}${rejections(stats)}`;
  const directions = `${directionText("out", outbound)}; ${directionText("in", inbound)}${kernel(stats)}`;
  return `ran ${duration(uptimeMs)}, ${connections}; ${directions}`;
}

/** The snapshot at the tunnel's start, with all counters 0. It stands in for a missing earlier snapshot. */
export function atStart(first: TunnelStats): TunnelStats {
  const none = { received: 0, receivedBytes: 0, sent: 0, sentBytes: 0, held: 0 };
  return {
    ...first,
    uptimeMs: 0,
    outbound: { ...first.outbound, ...none },
    inbound: { ...first.inbound, ...none },
    delay: { ...first.delay, counts: first.delay.counts.map(() => 0), sumMs: 0 },
  };
}

function state({ state, streams, sessions: count, sendFailure }: TunnelStats): string[] {
  const [first] = streams;
  const isPeer = state === "connected" && first !== undefined && count === 0;
  const text = isPeer ? `connected to ${formatEndpoint(first.remote)}` : state;
  return sendFailure === undefined ? [text] : [text, `cannot send to UDP (${sendFailure})`];
}

function roundTrip({ streams }: TunnelStats): string[] {
  const times = streams.map(({ rttMs }) => rttMs).filter((ms) => ms !== undefined);
  return times.length === 0 ? [] : [`round trip ${Math.max(...times).toFixed(1)} ms`];
}

function sessions({ sessions: count }: TunnelStats): string[] {
  return count === 0 ? [] : [`${count} ${count === 1 ? "session" : "sessions"}`];
}

function rates(now: TunnelStats, before: TunnelStats, direction: "outbound" | "inbound"): string {
  const perSecond = 1000 / Math.max(1, now.uptimeMs - before.uptimeMs);
  const since = (key: "received" | "receivedBytes") =>
    (now[direction][key] - before[direction][key]) * perSecond;
  return `${Math.round(since("received"))}/s ${((since("receivedBytes") * 8) / 1e6).toFixed(2)} Mbit/s`;
}

function delayBetween(now: DelayStats, before: DelayStats): string {
  const counts = now.counts.map((count, index) => count - (before.counts[index] ?? 0));
  const frames = counts.reduce((all, count) => all + count, 0);
  if (frames === 0) return "none";
  const mean = (now.sumMs - before.sumMs) / frames;
  return `${mean.toFixed(1)} ms, 99% ${percentile(now.boundsMs, counts, frames * 0.99)}`;
}

/** Names the bucket that holds the frame of this rank, counted from the shortest delay. */
function percentile(boundsMs: readonly number[], counts: readonly number[], rank: number): string {
  let upTo = 0;
  for (const [index, bound] of boundsMs.entries()) {
    upTo += counts[index] ?? 0;
    if (upTo >= rank) return `up to ${bound} ms`;
  }
  return `over ${boundsMs.at(-1)} ms`;
}

function drops({ dropped }: Pick<DirectionStats, "dropped">): string {
  const all = Object.values(dropped).reduce((sum, datagrams) => sum + datagrams, 0);
  return all === 0 ? "0" : `${all} (${reasonsOf(dropped)})`;
}

/**
 * The number of rejected connections, if any, with the reasons of failed authentications and TLS handshakes.
 */
function rejections({ rejectedConnections, authFailures, failedHandshakes }: TunnelStats): string {
  const reasons = reasonsOf({ ...authFailures, ...failedHandshakes });
  if (rejectedConnections === 0) return "";
  return `, ${rejectedConnections} rejected${reasons && ` (${reasons})`}`;
}

function reasonsOf(counts: Readonly<Record<string, number>>): string {
  const nonzero = Object.entries(counts).filter(([, count]) => count > 0);
  return nonzero.map(([reason, count]) => `${count} ${reason}`).join(", ");
}

function kernel({ kernelDrops = 0 }: TunnelStats): string {
  return kernelDrops === 0 ? "" : `; in the kernel ${kernelDrops}`;
}

function bytes(count: number): string {
  if (count < 1024) return `${count} B`;
  return count < 1024 * 1024 ? `${(count / 1024).toFixed(1)} KiB` : `${(count / 1024 / 1024).toFixed(1)} MiB`;
}

/** Hours, minutes, seconds: `1:02:03`. */
function duration(ms: number): string {
  const whole = Math.floor(ms / 1000);
  const two = (part: number) => String(part).padStart(2, "0");
  return `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
}
