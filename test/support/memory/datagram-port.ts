/** A UDP socket made of a map, with the faults a test asks for. */

import type {
  DatagramPort,
  DatagramReceiver,
  DatagramSender,
  SendObserver,
} from "../../../src/net/datagram-port.ts";
import type { Endpoint } from "../../../src/net/endpoint.ts";
import { BatchSender, type SenderSocket } from "../../../src/net/udp/batch-sender.ts";
import type { DatagramBatch, Transmitter } from "../../../src/net/udp/datagram-batch.ts";

/** How one socket behaves; a test may change it at any time. */
export interface DatagramFaults {
  /** Datagrams the socket's buffer still takes before it is full; `drain` sets it anew. */
  room: number;
  /** The error the kernel gives for a datagram, if any. */
  refuse: (payload: Uint8Array) => string | undefined;
  /** What the kernel would say it has dropped. */
  kernelDrops: number | undefined;
}

export class MemoryDatagramPort implements DatagramPort, SenderSocket {
  readonly local: Endpoint;
  /** Each is bound to one address. */
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

  sender(target: Endpoint, report: SendObserver): DatagramSender {
    const tryOne = (payload: Uint8Array): string | undefined => {
      const refusal = this.faults.refuse(payload);
      if (refusal !== undefined) return refusal;
      if (this.faults.room <= 0) return "EAGAIN";
      this.faults.room--;
      this.#deliver(this.local, target, payload.slice());
      return undefined;
    };
    const sendOne = (payload: Uint8Array): boolean => {
      const refusal = tryOne(payload);
      if (refusal === undefined) return true;
      if (refusal === "EAGAIN") return false;
      throw Object.assign(new Error(refusal), { code: refusal });
    };
    return new BatchSender(this, new MemoryTransmitter(tryOne), sendOne, report);
  }

  /** The buffer has room for this many datagrams again. */
  drain(room = Infinity): void {
    this.faults.room = room;
    const waiting = this.#blocked;
    this.#blocked = [];
    for (const sender of waiting) sender.resume();
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
}
