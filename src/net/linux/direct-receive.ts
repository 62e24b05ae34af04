/**
 * Reads a UDP socket in Bun's place, to learn where each datagram was sent to. One wake-up of Bun's (doorbell.ts) reads one
 * batch (datagram-reader.ts); what is left is reported again in the next tick, after everything else had its turn. So a
 * flood has one batch of each tick, and a smaller one while others need the time slice.
 *
 * What arrives before Bun's first `drain`, within the tick in which the socket was made, Bun still reads: its local address
 * is not known.
 */

import type { DatagramReceiver } from "../datagram-port.ts";
import type { DirectReceive, ReceiveGate } from "../system-sockets.ts";
import type { TimeSlice } from "../time-slice.ts";
import { type DatagramReader, READ_DATAGRAMS_MAX } from "./datagram-reader.ts";
import { DOORBELL_CODE, type Doorbell } from "./doorbell.ts";

/** A socket's quantum of the time slice, in datagrams. */
const QUANTUM = 32;

export class LinuxDirectReceive implements DirectReceive {
  readonly #doorbell: Doorbell;
  readonly #gate: ReceiveGate;
  readonly #slice: TimeSlice;
  readonly #reader: DatagramReader;
  readonly #receiver: DatagramReceiver;

  /** @param gate bounds what Bun reads, as long as it does. */
  constructor(
    doorbell: Doorbell,
    gate: ReceiveGate,
    slice: TimeSlice,
    reader: DatagramReader,
    receiver: DatagramReceiver,
  ) {
    this.#doorbell = doorbell;
    this.#gate = gate;
    this.#slice = slice;
    this.#reader = reader;
    this.#receiver = receiver;
  }

  get fd(): number {
    return this.#doorbell.fd;
  }

  onDatagram(awaitsRoom: boolean): void {
    if (!this.#doorbell.installed) this.#gate.onDatagram(awaitsRoom);
  }

  onFirstDrain(): void {
    this.#gate.open(); // before the descriptor leads elsewhere
    this.#doorbell.install();
  }

  onError(code: string): boolean {
    if (code !== DOORBELL_CODE || !this.#doorbell.installed) return false;
    this.#readBatch();
    return true;
  }

  open(): void {
    this.#gate.open();
    this.#doorbell.remove();
  }

  #readBatch(): void {
    const reader = this.#reader;
    const receiver = this.#receiver;
    this.#slice.begin();
    const count = reader.read(this.fd, this.#slice.mustYield ? QUANTUM : READ_DATAGRAMS_MAX);
    if (typeof count === "string") {
      if (count !== "EAGAIN") receiver.onError(count);
      return;
    }
    for (let slot = 0; slot < count && this.#doorbell.installed; slot++) {
      try {
        receiver.onDatagram(
          reader.payload(slot),
          reader.port(slot),
          reader.address(slot),
          reader.local(slot),
        );
      } catch (error) {
        // The rest of the batch has been taken from the kernel: it must not be lost for a defect met with one datagram.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
