/**
 * The contract of a TCP connection that is established. `bun/stream-port.ts` implements it on Bun's sockets,
 * and `bun/tls-stream-port.ts` adds TLS. Tests use an implementation in memory. `stream-transport.ts` is the
 * contract for making connections.
 *
 * - Receiving: the port calls `onChunk` until the peer has sent everything (`onEnd`) or the connection is
 *   closed (`onClose`). `pause` stops it: TCP's window then makes the peer stop sending.
 * - Sending: `write` passes bytes to the kernel. When it takes fewer than offered, the kernel's buffer is
 *   full. The caller keeps the rest and writes it after `onDrain`.
 * - Closing: `shutdown` sends FIN and lets both ends finish; `terminate` resets the connection at once.
 *   `close-stream.ts` has the two usual sequences.
 */

import type { Endpoint } from "./endpoint.ts";

/** Receives the events of a stream. `onClose` is the last one. */
export interface StreamReceiver {
  /** Bytes have arrived. TCP may cut them anywhere. The receiver owns the array. */
  onChunk(chunk: Uint8Array): void;
  /** The kernel may take bytes again. This is only a hint: the next `write` may still take none. */
  onDrain(): void;
  /** The peer has sent FIN: no more data will arrive. The peer may still read. */
  onEnd(): void;
  /**
   * The connection is closed. `code` is the error code if an error closed it, such as ECONNRESET or
   * ETIMEDOUT.
   */
  onClose(code: string | undefined): void;
}

/** The kernel's figures for one connection. */
export interface StreamGauge {
  /** Bytes that `write` passed to the kernel and the peer has not acknowledged, whether sent or not. */
  readonly unackedBytes: number;
  /** Bytes in flight: sent, not acknowledged, and not known to be lost. */
  readonly inFlightBytes: number;
  /** Bytes sent and not acknowledged, including lost ones. */
  readonly outstandingBytes: number;
  /** Bytes that `write` passed to the kernel and the kernel has never sent. */
  readonly unsentBytes: number;
  /** Payload bytes of a full segment. */
  readonly mssBytes: number;
  /** The smoothed round trip time. */
  readonly rttMs: number;
  /** The shortest round trip time of the last minutes. */
  readonly minRttMs: number;
  /** Bytes that have reached the peer since the connection began. */
  readonly deliveredBytes: number;
  /** Segments retransmitted since the connection began. */
  readonly retransmits: number;
  /** Milliseconds since the peer's kernel last acknowledged anything; undefined when unknown. */
  readonly lastAckMs?: number | undefined;
}

/** An established TCP connection. */
export interface StreamPort {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /**
   * Sets the receiver of all further events. The code that gets a new stream must call this before its
   * callback returns.
   */
  receive(receiver: StreamReceiver): void;
  /**
   * Passes bytes to the kernel.
   *
   * @param bytes borrowed until this returns.
   * @returns how many bytes the kernel took: fewer than all when its buffer is full, -1 when the stream is
   *   closed.
   */
  write(bytes: Uint8Array): number;
  /**
   * Reads the kernel's figures; undefined where the system has none. Valid until the next call on any stream.
   */
  gauge(): StreamGauge | undefined;
  /**
   * Derives a secret that only the two ends of this TLS connection know (RFC 5705; RFC 8446, section 7.5).
   * Both ends get the same bytes, so that a proof can be bound to the connection. No context value is used.
   *
   * @param label ASCII; a different one for each use.
   * @param length the number of bytes. The caller owns the array.
   * @returns undefined when the connection does not use TLS.
   */
  exportKeyingMaterial(label: string, length: number): Uint8Array | undefined;
  /**
   * Returns unread bytes and detaches the current receiver. The next receiver gets these bytes first, and
   * then the events that arrived before it was set.
   *
   * @param bytes the rest of the last chunk; may be empty. The port owns the array.
   */
  pushBack(bytes: Uint8Array): void;
  /** Stops `onChunk` until {@link resume}. The receive buffer then fills, and TCP stops the peer. */
  pause(): void;
  resume(): void;
  /**
   * Sets the keepalive interval for an idle connection: one second if `often`, else the usual one. A peer
   * that has lost the connection answers a probe with a reset.
   */
  probeOften(often: boolean): void;
  /** Sends FIN after the bytes that `write` took. Receiving continues. */
  shutdown(): void;
  /** Resets the connection. Calls `onClose` before it returns. */
  terminate(): void;
}
