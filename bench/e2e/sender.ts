/** Sends prepared datagrams with as few system calls as possible. */

import type { Kernel } from "./kernel.ts";
import { Messages } from "./messages.ts";
import { groupDatagrams, type Phase, patternPeriod, patternRing, writeHeader } from "./payload.ts";

/** Messages per system call. */
const MESSAGES_MAX = 32;

/** Sends from one socket, or from many in rotation. */
export class Sender {
  readonly #kernel: Kernel;
  readonly #sockets: readonly number[];
  readonly #size: number;
  readonly #period: number;
  readonly #ring: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  readonly #ringAt: number;
  readonly #messages: Messages;
  /** The datagrams of each message in a call. */
  readonly #lengths = new Uint32Array(MESSAGES_MAX);
  /** Datagrams per message: 1 without offload. */
  #group: number;

  constructor(kernel: Kernel, sockets: readonly number[], size: number, offload: boolean) {
    this.#kernel = kernel;
    this.#sockets = sockets;
    this.#size = size;
    this.#period = patternPeriod(size);
    this.#ring = patternRing(size);
    this.#view = new DataView(this.#ring.buffer);
    this.#ringAt = kernel.libc.addressOf(this.#ring.buffer);
    this.#messages = new Messages(kernel.libc, MESSAGES_MAX, size);
    this.#group = offload && sockets.length === 1 ? groupDatagrams(size) : 1;
  }

  /** Sends up to `count` datagrams, numbered from `sequence`. @returns how many the kernel accepted. */
  send(phase: Phase, sequence: number, count: number): number {
    if (this.#sockets.length > 1) return this.#sendInTurn(phase, sequence, count);
    let sent = 0;
    while (sent < count) {
      const taken = this.#sendBatch(this.#sockets[0] as number, phase, sequence + sent, count - sent, 0);
      if (taken === 0) break;
      sent += taken;
    }
    return sent;
  }

  #sendInTurn(phase: Phase, sequence: number, count: number): number {
    for (let sent = 0; sent < count; sent++) {
      const source = (sequence + sent) % this.#sockets.length;
      if (this.#sendBatch(this.#sockets[source] as number, phase, sequence + sent, 1, source) === 0)
        return sent;
    }
    return count;
  }

  /** Makes one system call, with messages of whole groups that do not cross the end of the ring. */
  #sendBatch(fd: number, phase: Phase, sequence: number, count: number, source: number): number {
    const now = this.#kernel.now();
    let prepared = 0;
    let messages = 0;
    while (prepared < count && messages < MESSAGES_MAX && prepared < this.#period) {
      const slot = (sequence + prepared) % this.#period;
      const room = Math.min(this.#period - slot, this.#period - prepared);
      const datagrams = Math.min(this.#group, count - prepared, room);
      for (let index = 0; index < datagrams; index++) {
        const at = (slot + index) * this.#size;
        writeHeader(this.#view, at, sequence + prepared + index, phase, source, now, this.#size);
      }
      const address = this.#ringAt + slot * this.#size;
      this.#messages.point(messages, address, datagrams * this.#size, datagrams > 1);
      this.#lengths[messages++] = datagrams;
      prepared += datagrams;
    }
    const taken = this.#kernel.sendmmsg(fd, this.#messages.address, messages, 0);
    if (taken < 0) return this.#refused(this.#kernel.errno());
    let sent = 0;
    for (let index = 0; index < taken; index++) sent += this.#lengths[index] as number;
    return sent;
  }

  #refused(code: string): number {
    switch (code) {
      case "EAGAIN":
      case "ECONNREFUSED": // an earlier datagram was rejected: the relay has not started yet, or has ended
      case "EINTR":
        return 0;
      case "EMSGSIZE":
      case "EINVAL":
      case "EIO":
        if (this.#group > 1) {
          this.#group = 1;
          return 0;
        }
    }
    throw new Error(`cannot send datagrams of ${this.#size} bytes: ${code}`);
  }
}
