/** A TCP connection in memory: each end has an array of incoming bytes. Tests set its faults. */

import type { Endpoint } from "../../../src/net/endpoint.ts";
import type { StreamGauge, StreamPort, StreamReceiver } from "../../../src/net/stream-port.ts";

/** The faults of one connection. A test may change them at any time. */
export interface StreamFaults {
  /** How many bytes fit between writer and reader. `write` takes no more. */
  bufferBytes: number;
  /** The maximum size of a chunk for the reader. */
  chunkBytesMax: number;
  /** Delivers nothing and reports nothing, like an unplugged cable. */
  blackHole: boolean;
  /** The state that the kernel reports for the stream. */
  gauge?: () => StreamGauge;
}

export const FAULTLESS: StreamFaults = { bufferBytes: 1 << 20, chunkBytesMax: 1 << 19, blackHole: false };

export class MemoryStreamPort implements StreamPort {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly faults: StreamFaults;
  /** The last argument of {@link probeOften}. */
  probedOften = false;
  readonly #endOfTick: (run: () => void) => void;
  #peer: MemoryStreamPort | undefined;
  #receiver: StreamReceiver | undefined;
  #incoming: Uint8Array[] = [];
  #incomingBytes = 0;
  /** Data that the former receiver pushed back. */
  #pushedBack: Uint8Array | undefined;
  #finSent = false;
  #finDelivered = false;
  #paused = false;
  #closed = false;
  #deliveryScheduled = false;
  #writerBlocked = false;

  private constructor(
    local: Endpoint,
    remote: Endpoint,
    faults: StreamFaults,
    endOfTick: (run: () => void) => void,
  ) {
    this.local = local;
    this.remote = remote;
    this.faults = faults;
    this.#endOfTick = endOfTick;
  }

  /** Makes both ends of a new connection. */
  static pair(
    client: Endpoint,
    server: Endpoint,
    faults: StreamFaults,
    endOfTick: (run: () => void) => void,
  ): [MemoryStreamPort, MemoryStreamPort] {
    const a = new MemoryStreamPort(client, server, faults, endOfTick);
    const b = new MemoryStreamPort(server, client, faults, endOfTick);
    a.#peer = b;
    b.#peer = a;
    return [a, b];
  }

  receive(receiver: StreamReceiver): void {
    this.#receiver = receiver;
    const bytes = this.#pushedBack;
    this.#pushedBack = undefined;
    if (bytes !== undefined) receiver.onChunk(bytes); // at once, like the real port
    this.#schedule();
  }

  pushBack(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#pushedBack = bytes;
    this.#receiver = undefined;
  }

  write(bytes: Uint8Array): number {
    const peer = this.#peer;
    if (this.#closed || this.#finSent || peer === undefined) return -1;
    const taken = Math.min(bytes.length, Math.max(0, this.faults.bufferBytes - peer.#incomingBytes));
    if (taken < bytes.length) this.#writerBlocked = true;
    if (taken > 0) {
      peer.#incoming.push(bytes.slice(0, taken));
      peer.#incomingBytes += taken;
      peer.#schedule();
    }
    return taken;
  }

  gauge(): StreamGauge | undefined {
    return this.faults.gauge?.();
  }

  exportKeyingMaterial(): undefined {}

  probeOften(often: boolean): void {
    this.probedOften = often;
    const peer = this.#peer;
    if (!often || peer === undefined || this.faults.blackHole) return;
    if (peer.#closed) this.#endOfTick(() => this.fail("ECONNRESET")); // the peer resets
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#schedule();
  }

  shutdown(): void {
    this.#finSent = true;
    if (this.#peer) this.#peer.#schedule();
  }

  terminate(): void {
    if (this.#closed) return;
    const peer = this.#peer;
    this.#close(undefined);
    if (!this.faults.blackHole) this.#endOfTick(() => peer?.fail("ECONNRESET"));
  }

  /** Ends the connection at this end with an error, as a reset by the peer does. */
  fail(code: string): void {
    this.#close(code);
  }

  #close(code: string | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#incoming = [];
    this.#receiver?.onClose(code);
  }

  /** Delivers in a later tick, as the kernel does. */
  #schedule(): void {
    if (this.#deliveryScheduled) return;
    this.#deliveryScheduled = true;
    this.#endOfTick(() => {
      this.#deliveryScheduled = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    if (this.faults.blackHole || this.#closed) return;
    while (this.#incoming.length > 0 && this.#receiver && !this.#paused && !this.#closed) {
      const [first] = this.#incoming as [Uint8Array];
      const chunk = first.slice(0, this.faults.chunkBytesMax);
      if (chunk.length === first.length) this.#incoming.shift();
      else this.#incoming[0] = first.subarray(chunk.length);
      this.#incomingBytes -= chunk.length;
      this.#receiver.onChunk(chunk);
    }
    const peer = this.#peer;
    if (peer === undefined) return;
    if (peer.#writerBlocked && !peer.#closed && this.#incomingBytes < this.faults.bufferBytes) {
      peer.#writerBlocked = false;
      peer.#receiver?.onDrain();
    }
    if (this.#closed || this.#paused) return;
    if (peer.#finSent && this.#incoming.length === 0 && this.#receiver && !this.#finDelivered) {
      this.#finDelivered = true;
      this.#receiver.onEnd();
    }
    if (this.#finDelivered && this.#finSent) {
      this.#close(undefined);
      if (peer.#finDelivered) peer.#close(undefined);
    }
  }
}
