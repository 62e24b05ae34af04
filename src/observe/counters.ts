/**
 * A tunnel's counters. In each direction, at any moment and exactly:
 *
 *     received = sent + dropped + held
 *
 * Held datagrams wait in a queue or for a socket. Datagrams that the kernel dropped before they were received
 * are not part of the equation.
 */

import { TLS_CODES } from "../net/tls/tls-failure.ts";
import { DelayHistogram } from "./delay-histogram.ts";

/** Every reason for which udptunnel can drop a datagram. */
export const DROP_REASONS = [
  "queue full", // the queue reached its limit of bytes or frames; the oldest datagram is dropped first
  "expired", // it waited longer than the age limit
  "standing queue", // it waited in a queue that did not drain (CoDel)
  "no stream", // channels only: the TCP connection is closed
  "stream lost", // its TCP connection ended before the kernel took the whole frame
  "pair incomplete", // RTP mode: the other connection of the pair is not up
  "wrong source", // an unexpected sender
  "wrong port", // per-source mode: the target's host sent it from another port than the target's
  "loop", // this tunnel's own socket sent it
  "too long", // longer than UDP can carry
  "unreachable", // the kernel has no route to the target
  "no socket", // per-source mode: the UDP socket to the target could not be opened
  "send error", // the kernel refused to send it for another reason
  "receive only", // the options forbid sending to UDP
  "send only", // the options forbid receiving from UDP
  "session limit", // it needed a new session, and all sessions are in use
  "closing", // it arrived or waited while the tunnel was closing
] as const;

/** Why a datagram was dropped: one of {@link DROP_REASONS}, where each is explained. */
export type DropReason = (typeof DROP_REASONS)[number];

/** Every reason for which a connection failed to authenticate with the secret. */
export const AUTH_FAILURE_REASONS = [
  "timeout", // the handshake was incomplete at its deadline
  "no handshake", // it sent something else: a client without the secret, a scanner
  "unsupported version", // its version of the handshake is unknown here
  "invalid proof", // it does not know the secret, or replays the handshake of another connection
  "evicted", // at the limit of pending connections, it was the oldest one of the fullest address prefix
  "closed by peer", // the peer closed the connection
] as const;

/** Why a connection failed to authenticate: one of `AUTH_FAILURE_REASONS`, where each is explained. */
export type AuthFailureReason = (typeof AUTH_FAILURE_REASONS)[number];

/**
 * One direction's counters. Received bytes are payload; sent bytes are what the kernel took, headers
 * included.
 */
export class DirectionCounters {
  received = 0;
  receivedBytes = 0;
  sent = 0;
  sentBytes = 0;
  readonly dropped = zeros(DROP_REASONS);

  /** Counts dropped datagrams. Every drop calls this. */
  drop(reason: DropReason, datagrams = 1): void {
    this.dropped[reason] += datagrams;
  }

  /** Counts a datagram as received and dropped. */
  dropReceived(payload: Uint8Array, reason: DropReason): void {
    this.received++;
    this.receivedBytes += payload.length;
    this.drop(reason);
  }

  get droppedTotal(): number {
    return DROP_REASONS.reduce((sum, reason) => sum + this.dropped[reason], 0);
  }
}

/** A tunnel's counters, from its start. */
export class Counters {
  /** From UDP to TCP. A datagram counts as sent when the kernel has taken its whole frame. */
  readonly outbound = new DirectionCounters();
  /** From TCP to UDP. A datagram counts as sent when the kernel has taken it. */
  readonly inbound = new DirectionCounters();
  /** How long frames waited in the queue. */
  readonly delay = new DelayHistogram();
  /** Writes of which TCP took at least a byte. Frames per write: `outbound.sent / writes`. */
  writes = 0;
  /** System calls that sent datagrams to UDP. Datagrams per call: `inbound.sent / sends`. */
  sends = 0;
  /**
   * ICMP refusals: no program listens at the target. They are not drops, because the kernel had taken the
   * datagrams.
   */
  refusals = 0;
  /** Other errors of UDP sockets. */
  socketErrors = 0;
  /** TCP connections established. */
  connects = 0;
  /** Incoming TCP connections that were rejected. */
  rejectedConnections = 0;
  /** Rejected connections that did not authenticate with the secret, by reason. */
  readonly authFailures = zeros(AUTH_FAILURE_REASONS);
  /** Rejected connections whose TLS handshake failed, by code. */
  readonly failedHandshakes = zeros(TLS_CODES);
  /** TCP segments retransmitted on streams that are closed. */
  retransmits = 0;
  /** Datagrams that the kernel dropped at UDP sockets that are closed. */
  kernelDrops = 0;

  /** Counts an error that a UDP socket reported. @returns whether it is an ICMP refusal. */
  countSocketError(code: string): boolean {
    const isRefusal = code === "ECONNREFUSED";
    if (isRefusal) this.refusals++;
    else this.socketErrors++;
    return isRefusal;
  }
}

function zeros<Key extends string>(keys: readonly Key[]): Record<Key, number> {
  return Object.fromEntries(keys.map((key) => [key, 0])) as Record<Key, number>;
}
