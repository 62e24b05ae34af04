/**
 * Many datagrams in one system call, and many of them as one message that only the network card, or the last step
 * before it, cuts apart (Linux 4.18: segmentation offload for UDP). For each batch:
 *
 *     group      datagrams of equal length in a row become one message (segment-groups.ts)
 *     lay out    messages whose iovecs point at the payloads where they are (offload-scratch.ts)
 *     sendmmsg   and once more from where it stopped, for it hides why it stopped
 */

import { NetError } from "../network.ts";
import type { DatagramBatch, SystemTransmitter } from "../udp/datagram-batch.ts";
import * as c from "./constants.ts";
import { anyUdpSocket, type Libc, type Memory } from "./libc.ts";
import type { LinuxLocalAddress } from "./local-address-table.ts";
import type { MessageName, OffloadScratch } from "./offload-scratch.ts";
import { getNumber } from "./socket-options.ts";

const HEADER_BYTES = 64;

/**
 * How long datagrams stay plain whose length was refused as a segment. The path's MTU, which the kernel compares it
 * with, may change.
 */
export const PLAIN_MS = 60_000;

// A segment must fit the path's MTU: EMSGSIZE, before Linux 6.14 EINVAL. Sent plainly it is fragmented and arrives.
const REFUSALS_OF_A_LENGTH = ["EMSGSIZE", "EINVAL"];
// No checksum offload on the way out (EIO), or the option is not known.
const REFUSALS_OF_OFFLOAD = ["EIO", "ENOSYS", "ENOPROTOOPT", "EOPNOTSUPP"];
// The interface that the zone of a link-local target names is gone.
const REFUSALS_OF_A_ZONE = ["ENETUNREACH", "ENODEV", "EINVAL"];
// This host does not have the local address, or no longer: IPv4 ENETUNREACH, IPv6 EINVAL.
const REFUSALS_OF_LOCAL = ["ENETUNREACH", "EINVAL"];

export interface OffloadTarget {
  /** A UDP socket, open for as long as `transmit` is called. Its descriptor may change. */
  readonly socket: { readonly fd: number };
  /** The target in the socket's family, see `encodeSockaddr`. */
  readonly to: Memory;
  /** Writes into `to` the interface that its zone names now. @returns whether that has changed. */
  readonly renew?: (() => boolean) | undefined;
}

/** Sends with segment offload where it can and plainly where it cannot, in order either way. */
export class OffloadTransmitter implements SystemTransmitter {
  from: LinuxLocalAddress | undefined;
  refusal = "";
  systemCalls = 0;

  readonly #libc: Libc;
  readonly #scratch: OffloadScratch;
  readonly #socket: OffloadTarget["socket"];
  readonly #name: MessageName;
  readonly #renew: OffloadTarget["renew"];
  readonly #now: () => number;
  #plainFromBytes = Infinity;
  #plainUntil = 0;

  /** @param now the current time in milliseconds; any clock that never goes back. */
  constructor(libc: Libc, scratch: OffloadScratch, { socket, to, renew }: OffloadTarget, now: () => number) {
    this.#libc = libc;
    this.#scratch = scratch;
    this.#socket = socket;
    this.#name = { sockaddr: to, address: libc.addressOf(to.buffer) };
    this.#renew = renew;
    this.#now = now;
  }

  /** @throws RangeError when a datagram does not lie within its array; nothing is sent then. */
  transmit(batch: DatagramBatch): number {
    this.refusal = "";
    if (this.#plainFromBytes !== Infinity && this.#now() >= this.#plainUntil) this.#plainFromBytes = Infinity;
    let next = batch.from;
    while (next < batch.count && this.refusal === "") {
      next = this.#sendFrom(batch, next);
      if (REFUSALS_OF_A_ZONE.includes(this.refusal) && this.#renew?.()) this.refusal = "";
    }
    return next - batch.from;
  }

  sendOne(payload: Uint8Array): boolean {
    const batch = this.#scratch.single;
    batch.clear();
    batch.add(payload, 0, payload.length);
    if (this.transmit(batch) === 1) return true;
    if (this.refusal === "EAGAIN") return false;
    throw new NetError(this.refusal, `cannot send on UDP: ${this.refusal}`);
  }

  /** Sends until all is taken, a message is refused, or groups must be formed anew; returns what to go on with. */
  #sendFrom(batch: DatagramBatch, from: number): number {
    const scratch = this.#scratch;
    const plainFromBytes = scratch.offReason === undefined ? this.#plainFromBytes : 0;
    const messages = scratch.lay(batch, from, this.#name, plainFromBytes, this.from);
    let taken = 0;
    while (taken < messages) {
      const rest = taken === 0 ? scratch.messages : scratch.messages.subarray(taken * HEADER_BYTES);
      const count = this.#libc.sendmmsg(
        this.#socket.fd,
        rest,
        messages - taken,
        c.MSG_DONTWAIT | c.MSG_NOSIGNAL,
      );
      this.systemCalls++;
      if (count > 0) {
        taken += count;
        continue;
      }
      const error = this.#libc.errno();
      if (error === "EINTR") continue;
      const segmentBytes = scratch.isGroup(taken) ? (batch.lengths[scratch.firstOf(taken)] as number) : 0;
      const known = segmentBytes > 0 && this.#learn(error, segmentBytes);
      if (!known && !this.#forgetLocal(error)) this.refusal = error;
      break;
    }
    return scratch.firstOf(taken);
  }

  /** Whether the local address may be the cause of the refusal. If so, the kernel chooses one from now on. */
  #forgetLocal(error: string): boolean {
    if (this.from === undefined || !REFUSALS_OF_LOCAL.includes(error)) return false;
    this.from = undefined;
    this.#plainFromBytes = Infinity; // it may have been learned from the same refusal
    return true;
  }

  /** Whether the refusal was of the group and not of its datagrams; if so, they are plain from now on. */
  #learn(error: string, segmentBytes: number): boolean {
    if (REFUSALS_OF_A_LENGTH.includes(error)) {
      // What is longer would be refused for the same reason.
      this.#plainFromBytes = Math.min(this.#plainFromBytes, segmentBytes);
      this.#plainUntil = this.#now() + PLAIN_MS;
      return true;
    }
    // Only these hold for good, else a peer could switch offload off by sending two long frames.
    if (!REFUSALS_OF_OFFLOAD.includes(error)) return this.#scratch.offReason !== undefined;
    this.#scratch.offReason = error;
    this.#scratch.onOff();
    return true;
  }
}

/**
 * Asks the kernel whether it knows segment offload: a kernel without it would ignore the control message and send one
 * long datagram. It sends nothing, because the host may lack 127.0.0.1 or its firewall may refuse. The first group
 * shows whether offload works otherwise. If the kernel does not know it, `scratch.offReason` is the errno name.
 */
export function probeOffload(libc: Libc, scratch: OffloadScratch): void {
  const fd = anyUdpSocket(libc);
  const known = fd >= 0 && getNumber(libc, fd, c.SOL_UDP, c.UDP_SEGMENT) !== undefined;
  scratch.offReason = known ? undefined : libc.errno();
  if (fd >= 0) libc.close(fd);
}
