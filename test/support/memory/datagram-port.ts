/** A UDP socket in memory. Tests set its faults. */

import type {
  DatagramPort,
  DatagramReceiver,
  DatagramSender,
  SendObserver,
} from "../../../src/net/datagram-port.ts";
import type { Endpoint } from "../../../src/net/endpoint.ts";
import { BatchSender, type SenderSocket } from "../../../src/net/udp/batch-sender.ts";
import type { DatagramBatch, Transmitter } from "../../../src/net/udp/datagram-batch.ts";

/** The faults of one socket. A test may change them at any time. */
export interface DatagramFaults {
  /** How many more datagrams the socket takes before its buffer is full. `drain` sets a new number. */
  room: number;
  /** The errno name with which the kernel refuses a datagram, if it does. */
  refuse: (payload: Uint8Array) => string | undefined;
  /** The number of drops that the kernel reports. */
  kernelDrops: number | undefined;
}

export class MemoryDatagramPort implements DatagramPort, SenderSocket {
  readonly local: Endpoint;
  /** False, because each socket is bound to one address. */
  readonly reportsLocal = false;
  readonly ready = Promise.resolve();
  readonly faults: DatagramFaults = { room: Infinity, refuse: () => undefined, kernelDrops: undefined };
  readonly receiver: DatagramReceiver;
  readonly #deliver: (from: Endpoint, to: Endpoint, payload: Uint8Array) => void;
  readonly #onClose: () => void;
  #blocked: BatchSender[] = [];
  #closed = false;

  constructor(
    local: Endpoint,
    receiver: DatagramReceiver,
    deliver: (from: Endpoint, to: Endpoint, payload: Uint8Array) => void,
    onClose: () => void,
  ) {
    this.local = local;
    this.receiver = receiver;
    this.#deliver = deliver;
    this.#onClose = onClose;
  }

  sender(target: Endpoint, observer: SendObserver): DatagramSender {
    const tryOne = (payload: Uint8Array): string | undefined => {
      const refusal = this.faults.refuse(payload);
      if (refusal !== undefined) return refusal;
      if (this.faults.room <= 0) return "EAGAIN";
      this.faults.room--;
      this.#deliver(this.local, target, payload.slice());
      return undefined;
    };
    return new BatchSender(this, new MemoryTransmitter(tryOne), observer);
  }

  /** Makes room for this many datagrams in the buffer, and resumes the blocked senders. */
  drain(room = Infinity): void {
    this.faults.room = room;
    const blocked = this.#blocked;
    this.#blocked = [];
    for (const sender of blocked) sender.resume();
  }

  kernelDrops(): number | undefined {
    return this.#closed ? undefined : this.faults.kernelDrops;
  }

  close(): void {
    this.#closed = true;
    this.#onClose();
  }

  awaitDrain(sender: BatchSender): void {
    this.#blocked.push(sender);
  }

  onRefused(): void {
    this.receiver.onError("ECONNREFUSED");
  }
}

class MemoryTransmitter implements Transmitter {
  refusal = "";
  systemCalls = 0;
  readonly #tryOne: (payload: Uint8Array) => string | undefined;

  constructor(tryOne: (payload: Uint8Array) => string | undefined) {
    this.#tryOne = tryOne;
  }

  transmit(batch: DatagramBatch): number {
    this.systemCalls++;
    for (let index = batch.from; index < batch.count; index++) {
      const refusal = this.#tryOne(batch.view(index));
      if (refusal === undefined) continue;
      this.refusal = refusal;
      return index - batch.from;
    }
    return batch.count - batch.from;
  }

  sendOne(payload: Uint8Array): boolean {
    const refusal = this.#tryOne(payload);
    if (refusal === undefined) return true;
    if (refusal === "EAGAIN") return false;
    throw Object.assign(new Error(refusal), { code: refusal });
  }
}
