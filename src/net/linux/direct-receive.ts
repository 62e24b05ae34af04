/**
 * Reads a UDP socket in place of Bun, to get the destination address of each datagram. Bun reports once per
 * tick that the socket is readable (readiness-signal.ts), and each report reads one batch
 * (datagram-reader.ts). A flood therefore gets one batch per tick, and a smaller one while other sockets need
 * the time slice.
 *
 * Until Bun's first `drain`, in the tick that opens the socket, Bun still reads. The destination address of
 * those datagrams is unknown.
 */

import type { DatagramReceiver } from "../datagram-port.ts";
import type { DirectReceive, ReceivePauser } from "../system-sockets.ts";
import type { TimeSlice } from "../time-slice.ts";
import { type DatagramReader, READ_DATAGRAMS_MAX } from "./datagram-reader.ts";
import { READINESS_CODE, type ReadinessSignal } from "./readiness-signal.ts";
import { QUANTUM_DATAGRAMS } from "./receive-pauser.ts";

export class LinuxDirectReceive implements DirectReceive {
  readonly #signal: ReadinessSignal;
  readonly #pauser: ReceivePauser;
  readonly #slice: TimeSlice;
  readonly #reader: DatagramReader;
  readonly #receiver: DatagramReceiver;

  /** @param pauser limits how long Bun reads, until the first `drain`. */
  constructor(
    signal: ReadinessSignal,
    pauser: ReceivePauser,
    slice: TimeSlice,
    reader: DatagramReader,
    receiver: DatagramReceiver,
  ) {
    this.#signal = signal;
    this.#pauser = pauser;
    this.#slice = slice;
    this.#reader = reader;
    this.#receiver = receiver;
  }

  get fd(): number {
    return this.#signal.fd;
  }

  onDatagram(writePending: boolean): void {
    if (!this.#signal.installed) this.#pauser.onDatagram(writePending);
  }

  onFirstDrain(): void {
    this.#pauser.resume(); // before Bun's descriptor refers to another file
    this.#signal.install();
  }

  onError(code: string): boolean {
    if (code !== READINESS_CODE || !this.#signal.installed) return false;
    this.#readBatch();
    return true;
  }

  resume(): void {
    this.#pauser.resume();
    this.#signal.remove();
  }

  #readBatch(): void {
    const reader = this.#reader;
    const receiver = this.#receiver;
    this.#slice.begin();
    const count = reader.read(this.fd, this.#slice.mustYield ? QUANTUM_DATAGRAMS : READ_DATAGRAMS_MAX);
    if (typeof count === "string") {
      if (count !== "EAGAIN") receiver.onError(count);
      return;
    }
    for (let slot = 0; slot < count && this.#signal.installed; slot++) {
      try {
        receiver.onDatagram(
          reader.payload(slot),
          reader.port(slot),
          reader.address(slot),
          reader.local(slot),
        );
      } catch (error) {
        // The kernel no longer has the rest of the batch. An exception of one call must not lose it.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
