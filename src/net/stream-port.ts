/**
 * The contract of a TCP connection, as the tunnel sees it. `bun/stream-port.ts` implements it with Bun's TCP sockets,
 * tests have a twin in memory.
 */

import type { Endpoint } from "./endpoint.ts";

/** Receives what happens on a stream. After `onClose` nothing more is called. */
export interface StreamReceiver {
  /** Bytes have arrived, cut anywhere. The receiver owns the array. */
  onChunk(chunk: Uint8Array): void;
  /** There may be room to write again. A hint: it can come without need, so writing may still take nothing. */
  onDrain(): void;
  /** The peer will send no more (FIN). It may still read. */
  onEnd(): void;
  /** The stream is gone. `code` names the cause where there is one: ECONNRESET, ETIMEDOUT ... */
  onClose(code: string | undefined): void;
}

/** A stream's state in the kernel. */
export interface StreamGauge {
  /** Bytes taken from us and not acknowledged, sent or not. 0 means that the peer has everything. */
  readonly unackedBytes: number;
  /** Bytes under way: sent, not delivered and not known to be lost. */
  readonly inFlightBytes: number;
  /** Bytes sent and not delivered, be they under way or lost. */
  readonly outstandingBytes: number;
  /** Bytes taken from us and not sent even once. */
  readonly unsentBytes: number;
  /** Payload of a full segment. */
  readonly mssBytes: number;
  /** The round trip time now, and its least of the last minutes. */
  readonly rttMs: number;
  readonly minRttMs: number;
  /** Bytes that have reached the peer since the stream began. */
  readonly deliveredBytes: number;
  /** Segments sent again since the stream began. */
  readonly retransmits: number;
  /** Milliseconds since the peer's kernel last acknowledged anything; undefined when unknown. */
  readonly lastAckMs?: number | undefined;
}

/** A TCP connection that is up. */
export interface StreamPort {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** Sets who is told from now on. Must be called before the callback that handed the stream out returns. */
  receive(receiver: StreamReceiver): void;
  /**
   * Offers bytes to the kernel.
   *
   * @param bytes borrowed until return.
   * @returns how many bytes it took, from 0 (its buffer is full: wait for `onDrain`) to all; -1 when the stream is gone.
   */
  write(bytes: Uint8Array): number;
  /** What the kernel knows of the stream now; undefined when it does not say. Borrowed until the next call on any stream. */
  gauge(): StreamGauge | undefined;
  /**
   * Bytes that only the two ends of this TLS connection can know, the same at both (RFC 5705; RFC 8446, section 7.5),
   * for binding a proof to it; undefined when the connection is not encrypted. No context value is used.
   *
   * @param label ASCII; its own for each use.
   * @param length how many bytes. The caller owns the array.
   */
  exportKeyingMaterial(label: string, length: number): Uint8Array | undefined;
  /**
   * Gives back what was read too much: it comes first to the next receiver, and what happens until there is one is kept
   * for it. For a receiver that has done its part.
   *
   * @param bytes the end of the last chunk, perhaps nothing. The port owns the array.
   */
  pushBack(bytes: Uint8Array): void;
  /** Stops `onChunk` until {@link resume}; the kernel's window then stops the peer. */
  pause(): void;
  resume(): void;
  /**
   * Makes the kernel probe a silent peer every second (keepalive), or as seldom as before. A peer that has forgotten
   * the connection answers with a reset.
   */
  probeOften(often: boolean): void;
  /** Sends FIN after everything `write` took. Reading goes on. */
  shutdown(): void;
  /** Ends the stream at once with a reset. `onClose` is called before this returns. */
  terminate(): void;
}
