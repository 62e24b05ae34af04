/**
 * Reads a UDP socket in Bun's place, to learn to which address each datagram was sent. Each wake-up by Bun
 * (doorbell.ts) reads one batch (datagram-reader.ts). Bun reports the rest in the next tick, after all other sockets.
 * So a flood gets one batch per tick, and a smaller one while others need the time slice.
 *
 * Before Bun's first `drain`, within the tick in which the socket was opened, Bun still reads: the local address of
 * those datagrams is unknown.
 */

import type { DatagramReceiver } from "../datagram-port.ts";
import type { DirectReceive, ReceivePauser } from "../system-sockets.ts";
import type { TimeSlice } from "../time-slice.ts";
import { type DatagramReader, READ_DATAGRAMS_MAX } from "./datagram-reader.ts";
import { DOORBELL_CODE, type Doorbell } from "./doorbell.ts";

/** A socket's quantum of the time slice, in datagrams. */
const QUANTUM = 32;

export class LinuxDirectReceive implements DirectReceive {
  readonly #doorbell: Doorbell;
  readonly #pauser: ReceivePauser;
  readonly #slice: TimeSlice;
  readonly #reader: DatagramReader;
  readonly #receiver: DatagramReceiver;

  /** @param gate limits Bun's reading, as long as Bun reads. */
  constructor(
    doorbell: Doorbell,
    pauser: ReceivePauser,
    slice: TimeSlice,
    reader: DatagramReader,
    receiver: DatagramReceiver,
  ) {
    this.#doorbell = doorbell;
    this.#pauser = pauser;
    this.#slice = slice;
    this.#reader = reader;
    this.#receiver = receiver;
  }

  get fd(): number {
    return this.#doorbell.fd;
  }

  onDatagram(writePending: boolean): void {
    if (!this.#doorbell.installed) this.#pauser.onDatagram(writePending);
  }

  onFirstDrain(): void {
    this.#pauser.resume(); // before the descriptor leads elsewhere
    this.#doorbell.install();
  }

  onError(code: string): boolean {
    if (code !== DOORBELL_CODE || !this.#doorbell.installed) return false;
    this.#readBatch();
    return true;
  }

  resume(): void {
    this.#pauser.resume();
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
        // The rest of the batch has been taken from the kernel, and must not be lost because of a defect in one call.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
