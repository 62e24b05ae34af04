/** What makes links different: the user's settings, the use of the link, and the hooks of its owner. */

import type { Clock } from "../net/clock.ts";
import type { StreamPort } from "../net/stream-port.ts";
import type { Counters } from "../observe/counters.ts";
import type { MemoryBudget } from "./memory-budget.ts";

export interface LinkOptions extends LinkHooks {
  readonly clock: Clock;
  readonly counters: Counters;
  /** What the link is for: see {@link LINK_USES}. */
  readonly use: keyof typeof LINK_USES;
  readonly settings: LinkSettings;
  /** Memory that the link shares with others. */
  readonly budget?: MemoryBudget | undefined;
}

/** What the link calls. */
export interface LinkHooks {
  /** A datagram has arrived and there is no stream, or the link is blocked. */
  readonly onDemand?: (() => void) | undefined;
  /** A stream has brought its first whole frame. */
  readonly onFirstFrame?: (() => void) | undefined;
  /** There is a datagram for UDP and no sender. Opens the UDP socket and calls `Link.sendTo`, or fails. */
  readonly openSender?: (() => void) | undefined;
  /** A datagram has arrived from TCP, for -vv. */
  readonly trace?: ((stream: StreamPort, bytes: number) => void) | undefined;
  /** Notified of refused datagrams, with the errno name; while `failing`, also of sent ones. */
  readonly sendWatch?:
    | { readonly failing: boolean; onSent(): void; onRefused(code: string, datagrams: number): void }
    | undefined;
}

/** The user's settings. */
interface LinkSettings {
  /** Bytes of frames that the queue to TCP may hold. */
  readonly queueBytesMax: number;
  /** How long a datagram may be held, in milliseconds; 0 for no limit. */
  readonly maxDelayMs: number;
  /** How long a stream may take nothing before its peer counts as stalled, in milliseconds. */
  readonly deadAfterMs: number;
  /** Bytes that the kernel may hold unsent; undefined derives the limit from the path's rate. */
  readonly unsentBytesMax?: number | undefined;
  /** "auto": the link limits data in flight. "kernel": only the kernel does. */
  readonly inFlight: "auto" | "kernel";
}

/** What depends on the use of a link. */
export interface LinkUse {
  /** Frames that the queue to TCP may hold. */
  readonly framesMax: number;
  /** Bytes of the queue's ring at the start. It doubles when needed, up to `queueBytesMax`. */
  readonly ringBytesInitial: number;
  /** Whether frames age while there is no stream. */
  readonly agesWithoutStream: boolean;
  /** Whether `maxDelayMs` also limits inbound datagrams. */
  readonly limitsInboundDelay: boolean;
  /** Whether undelivered chunks count in the memory budget. */
  readonly budgetsChunks: boolean;
}

export const LINK_USES = {
  /** Peer mode has one link or two, so each allocates its whole ring at the start. */
  peer: {
    framesMax: 65_536,
    ringBytesInitial: Infinity,
    agesWithoutStream: true,
    limitsInboundDelay: true,
    budgetsChunks: false,
  },
  /** Per-source mode has many links; most of them queue little. Frames do not age while a client dials. */
  session: {
    framesMax: 16_384,
    ringBytesInitial: 2048,
    agesWithoutStream: false,
    limitsInboundDelay: true,
    budgetsChunks: true,
  },
  /** A channel delivers to a program, not to UDP. A slow program loses nothing: the peer must wait. */
  channel: {
    framesMax: 65_536,
    ringBytesInitial: 2048,
    agesWithoutStream: false,
    limitsInboundDelay: false,
    budgetsChunks: false,
  },
} satisfies Record<string, LinkUse>;
