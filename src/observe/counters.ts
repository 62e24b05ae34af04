/**
 * What is counted. In each direction, at any moment and exactly:
 *
 *     received = sent + all that was dropped + held
 *
 * where held is what waits in a queue or for a socket. Drops that the kernel made before we received are not in it.
 */

import { TLS_CODES } from "../net/tls/tls-failure.ts";
import { DelayHistogram } from "./delay-histogram.ts";

/** Every reason for which a datagram can be lost here. */
export const DROP_REASONS = [
  "queue full", // the queue's limit of bytes or frames; the oldest goes first
  "expired", // waited longer than the age limit
  "standing queue", // waited in a queue that would not drain
  "no stream", // one-way or no TCP connection to put it on
  "stream lost", // its TCP connection ended before the whole frame was taken
  "pair incomplete", // RTP mode: the other connection of the pair is not up
  "wrong source", // its sender is not the one expected
  "wrong port", // per-source mode: the target's host sent it from another port than the one datagrams are sent to
  "loop", // it was sent by this tunnel's own socket
  "too long", // longer than UDP can carry
  "unreachable", // the kernel has no way to the target
  "no socket", // per-source mode: no UDP socket to the target could be opened
  "send error", // the kernel refused it for another reason
  "receive only", // receive-only: nothing may be sent to UDP
  "send only", // send-only: nothing may come from UDP
  "session limit", // no room for another session
  "closing", // arrived or still waiting while the tunnel was being closed
] as const;

/** Why a datagram was lost: one of {@link DROP_REASONS}, where each is explained. */
export type DropReason = (typeof DROP_REASONS)[number];

/** Every reason for which a connection never proved that it knows the secret. */
export const AUTH_FAILURE_REASONS = [
  "timeout", // it said nothing, or not all
  "no handshake", // it said something else: a client without the secret, a scanner
  "unsupported version", // a handshake of a version not known here
  "invalid proof", // it does not know the secret, or repeats what was said in another connection
  "evicted", // it had waited longest when another came and there was no room
  "closed by peer", // it closed the connection
] as const;

/** Why a connection was rejected that should have proved to know the secret: each is explained where they are listed. */
export type AuthFailureReason = (typeof AUTH_FAILURE_REASONS)[number];

/** One direction's counters: datagrams, and bytes: of payload where received, as given to the kernel where sent. */
export class DirectionCounters {
  received = 0;
  receivedBytes = 0;
  sent = 0;
  sentBytes = 0;
  readonly dropped = zeros(DROP_REASONS);

  /** The one door through which a datagram is lost. */
  drop(reason: DropReason, datagrams = 1): void {
    this.dropped[reason] += datagrams;
  }

  /** Counts a datagram that came and must not be relayed. */
  refuse(payload: Uint8Array, reason: DropReason): void {
    this.received++;
    this.receivedBytes += payload.length;
    this.drop(reason);
  }

  get droppedTotal(): number {
    return DROP_REASONS.reduce((sum, reason) => sum + this.dropped[reason], 0);
  }
}

/** One tunnel's counters, since it was started. */
export class Counters {
  /** From UDP into TCP. "Sent" is: the kernel has taken the whole frame. */
  readonly outbound = new DirectionCounters();
  /** From TCP to UDP. "Sent" is: the kernel has taken the datagram. */
  readonly inbound = new DirectionCounters();
  /** How long what went out had waited here. */
  readonly delay = new DelayHistogram();
  /** Writes to TCP that took anything: how many frames share one is `outbound.sent / writes`. */
  writes = 0;
  /** System calls that handed datagrams to UDP: how many share one is `inbound.sent / sends`. */
  sends = 0;
  /** ICMP refusals: nobody listened where a datagram was sent. Not drops: the kernel had taken those. */
  refusals = 0;
  /** Other errors that UDP sockets reported. */
  socketErrors = 0;
  /** TCP connections that came up. */
  connects = 0;
  /** TCP connections, incoming, that were rejected. */
  rejectedConnections = 0;
  /** Those of them that did not prove that they know the secret. */
  readonly authFailures = zeros(AUTH_FAILURE_REASONS);
  /** Those of them whose TLS handshake failed, by code. */
  readonly failedHandshakes = zeros(TLS_CODES);
  /** Segments sent again on streams that are gone. */
  retransmits = 0;
  /** Datagrams the kernel dropped at UDP sockets that are gone. */
  kernelDrops = 0;
}

function zeros<Key extends string>(keys: readonly Key[]): Record<Key, number> {
  return Object.fromEntries(keys.map((key) => [key, 0])) as Record<Key, number>;
}
