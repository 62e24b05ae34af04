/**
 * Sends a batch of datagrams with few system calls and few messages. The network card, or the last step
 * before it, splits a message into datagrams (UDP segmentation offload, Linux 4.18). For each batch:
 *
 *   1. Group: consecutive datagrams of equal length become one message (segment-groups.ts).
 *   2. Lay out: iovecs of the messages point to the payloads (offload-scratch.ts).
 *   3. Send: sendmmsg. After a short count, call it again from there, because the count does not include the
 *      error code.
 */

import { NetError } from "../network.ts";
import type { DatagramBatch, SystemTransmitter } from "../udp/datagram-batch.ts";
import * as c from "./constants.ts";
import { anyUdpSocket, type Libc, type Memory } from "./libc.ts";
import type { LinuxLocalAddress } from "./local-address-table.ts";
import { HEADER_BYTES } from "./message-header.ts";
import type { MessageName, OffloadScratch } from "./offload-scratch.ts";
import { getNumber } from "./socket-options.ts";

/**
 * How long datagrams are sent without offload after the kernel rejected their length as a segment. The kernel
 * compares it with the path MTU, which may change.
 */
export const PLAIN_MS = 60_000;

// A segment must fit the path MTU: EMSGSIZE, before Linux 6.14 EINVAL. A plain datagram is fragmented and
// arrives.
const LENGTH_ERRORS = ["EMSGSIZE", "EINVAL"];
// The outgoing interface has no checksum offload (EIO), or the kernel does not know the option.
const OFFLOAD_ERRORS = ["EIO", "ENOSYS", "ENOPROTOOPT", "EOPNOTSUPP"];
// The interface in the zone of a link-local target no longer exists.
const ZONE_ERRORS = ["ENETUNREACH", "ENODEV", "EINVAL"];
// This host does not have the local address: IPv4 ENETUNREACH, IPv6 EINVAL.
const LOCAL_ADDRESS_ERRORS = ["ENETUNREACH", "EINVAL"];

export interface OffloadTarget {
  /** A UDP socket that is open whenever `transmit` is called. Its descriptor may change. */
  readonly socket: { readonly fd: number };
  /** The target address in the family of the socket, from `encodeSockaddr`. */
  readonly to: Memory;
  /** Writes into `to` the current interface of its zone. @returns whether it has changed. */
  readonly reencode?: (() => boolean) | undefined;
}

/** Sends datagrams in order, with segment offload where the kernel accepts it. */
export class OffloadTransmitter implements SystemTransmitter {
  from: LinuxLocalAddress | undefined;
  refusal = "";
  systemCalls = 0;

  readonly #libc: Libc;
  readonly #scratch: OffloadScratch;
  readonly #socket: OffloadTarget["socket"];
  readonly #name: MessageName;
  readonly #reencode: OffloadTarget["reencode"];
  readonly #now: () => number;
  #plainFromBytes = Infinity;
  #plainUntil = 0;

  /** @param now the current time in milliseconds, from a monotonic clock. */
  constructor(
    libc: Libc,
    scratch: OffloadScratch,
    { socket, to, reencode }: OffloadTarget,
    now: () => number,
  ) {
    this.#libc = libc;
    this.#scratch = scratch;
    this.#socket = socket;
    this.#name = { sockaddr: to, address: libc.addressOf(to.buffer) };
    this.#reencode = reencode;
    this.#now = now;
  }

  /** @throws RangeError when a datagram is not inside its array; nothing is sent then. */
  transmit(batch: DatagramBatch): number {
    this.refusal = "";
    if (this.#plainFromBytes !== Infinity && this.#now() >= this.#plainUntil) this.#plainFromBytes = Infinity;
    let next = batch.from;
    while (next < batch.count && this.refusal === "") {
      next = this.#sendFrom(batch, next);
      if (ZONE_ERRORS.includes(this.refusal) && this.#reencode?.()) this.refusal = "";
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

  /**
   * Sends until the kernel has taken all messages, rejects one, or the groups must be formed again.
   *
   * @returns the index of the next datagram to send.
   */
  #sendFrom(batch: DatagramBatch, from: number): number {
    const scratch = this.#scratch;
    const plainFromBytes = scratch.offReason === undefined ? this.#plainFromBytes : 0;
    const messages = scratch.layOut(batch, from, this.#name, plainFromBytes, this.from);
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
      const retryPlain = segmentBytes > 0 && this.#learn(error, segmentBytes);
      if (!retryPlain && !this.#forgetLocal(error)) this.refusal = error;
      break;
    }
    return scratch.firstOf(taken);
  }

  /**
   * @returns whether the local address may be the cause of the error. The kernel then chooses an address from
   * now on.
   */
  #forgetLocal(error: string): boolean {
    if (this.from === undefined || !LOCAL_ADDRESS_ERRORS.includes(error)) return false;
    this.from = undefined;
    this.#plainFromBytes = Infinity; // the same error may have set it
    return true;
  }

  /**
   * @returns whether the kernel rejected the group and not its datagrams. They are then sent without offload.
   */
  #learn(error: string, segmentBytes: number): boolean {
    if (LENGTH_ERRORS.includes(error)) {
      // The kernel would also reject longer segments.
      this.#plainFromBytes = Math.min(this.#plainFromBytes, segmentBytes);
      this.#plainUntil = this.#now() + PLAIN_MS;
      return true;
    }
    // Only these errors switch offload off permanently. Otherwise a peer could do so by sending two long
    // frames.
    if (!OFFLOAD_ERRORS.includes(error)) return this.#scratch.offReason !== undefined;
    this.#scratch.offReason = error;
    this.#scratch.onOff();
    return true;
  }
}

/** For a target without a socket address: refuses each datagram with this code, such as EAFNOSUPPORT. */
export class RefusingTransmitter implements SystemTransmitter {
  from: undefined;
  readonly systemCalls = 0;
  readonly refusal: string;

  constructor(refusal: string) {
    this.refusal = refusal;
  }

  transmit(): number {
    return 0;
  }

  sendOne(): boolean {
    throw new NetError(this.refusal, `cannot send on UDP: ${this.refusal}`);
  }
}

/**
 * Asks the kernel whether it supports segment offload. A kernel without it would ignore the control message
 * and send one long datagram. The probe sends nothing, because the host may lack 127.0.0.1 or a firewall may
 * block it. Whether offload works otherwise shows with the first group.
 *
 * @returns undefined if the kernel supports it, else the errno name.
 */
export function probeOffload(libc: Libc): string | undefined {
  const fd = anyUdpSocket(libc);
  const supported = fd >= 0 && getNumber(libc, fd, c.SOL_UDP, c.UDP_SEGMENT) !== undefined;
  const error = supported ? undefined : libc.errno();
  if (fd >= 0) libc.close(fd);
  return error;
}
