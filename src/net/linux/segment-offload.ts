/**
 * Many datagrams in one system call, and many of them as one message that only the network card, or the last step
 * before it, cuts apart (Linux 4.18: segmentation offload for UDP). For each batch:
 *
 *     group      datagrams of equal length in a row become one message (segment-groups.ts)
 *     lay out    messages whose iovecs point at the payloads where they are (offload-scratch.ts)
 *     sendmmsg   and once more from where it stopped, for it hides why it stopped
 */

import { DatagramBatch, type SystemTransmitter } from "../datagram-batch.ts";
import { NetError } from "../network.ts";
import * as c from "./constants.ts";
import { type Libc, type Memory, memory } from "./libc.ts";
import type { LinuxLocalAddress } from "./local-address-table.ts";
import type { MessageName, OffloadScratch } from "./offload-scratch.ts";
import { encodeSockaddr, SOCKADDR_IN_BYTES } from "./sockaddr.ts";
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
// The interface that the zone of a link-local target named is gone.
const REFUSALS_OF_A_ZONE = ["ENETUNREACH", "ENODEV", "EINVAL"];
const REFUSALS_OF_OFFLOAD = ["EIO", "ENOSYS", "ENOPROTOOPT", "EOPNOTSUPP"];
// The local address is not (any more) one of this host's: IPv4 ENETUNREACH, IPv6 EINVAL.
const REFUSALS_OF_LOCAL = ["ENETUNREACH", "EINVAL"];

export interface OffloadTarget {
  /** A UDP socket, open for as long as `transmit` is called. Its descriptor may change. */
  readonly socket: { readonly fd: number };
  /** The target in the socket's family, see `encodeSockaddr`; absent on a connected socket. */
  readonly to?: Memory | undefined;
  /** Writes into `to` where its zone leads now, the interface being perhaps another one. @returns whether that has changed. */
  readonly renew?: (() => boolean) | undefined;
}

/** Sends with segment offload where it can and plainly where it cannot, in order either way. */
export class OffloadTransmitter implements SystemTransmitter {
  from: LinuxLocalAddress | undefined;
  refusal = "";
  /** Messages the kernel took, each of one datagram or a group. */
  sentMessages = 0;
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
    this.#name = { sockaddr: to, address: to === undefined ? 0 : libc.addressOf(to.buffer) };
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
    this.sentMessages += taken;
    return scratch.firstOf(taken);
  }

  /** Whether the refusal may have been of the local address; if so, the kernel chooses from now on. */
  #forgetLocal(error: string): boolean {
    if (this.from === undefined || !REFUSALS_OF_LOCAL.includes(error)) return false;
    this.from = undefined;
    this.#plainFromBytes = Infinity; // it may have been learned from that very refusal
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
 * Tries segment offload on a socket of its own that sends to itself.
 *
 * @returns undefined when it works, else the errno name of what does not; `scratch.offReason` is then that name.
 */
export function probeOffload(libc: Libc, scratch: OffloadScratch): string | undefined {
  const fd = libc.socket(c.AF_INET, c.SOCK_DGRAM | c.SOCK_NONBLOCK | c.SOCK_CLOEXEC, 0);
  const reason =
    fd < 0
      ? libc.errno()
      : (connectToItself(libc, fd) ?? knowsOption(libc, fd) ?? sendGroup(libc, fd, scratch));
  if (fd >= 0) libc.close(fd);
  scratch.offReason = reason;
  return reason;
}

function connectToItself(libc: Libc, fd: number): string | undefined {
  const any = encodeSockaddr(libc, { address: "127.0.0.1", port: 0 });
  if (typeof any === "string") return any;
  const own = memory(SOCKADDR_IN_BYTES);
  const ownBytes = memory(4);
  ownBytes[0] = own.length;
  const bound = libc.bind(fd, any, any.length) === 0 && libc.getsockname(fd, own, ownBytes) === 0;
  return bound && libc.connect(fd, own, own.length) === 0 ? undefined : libc.errno();
}

/** A kernel that does not know the option would ignore the control message and send one long datagram. */
function knowsOption(libc: Libc, fd: number): string | undefined {
  return getNumber(libc, fd, c.SOL_UDP, c.UDP_SEGMENT) === undefined ? libc.errno() : undefined;
}

function sendGroup(libc: Libc, fd: number, scratch: OffloadScratch): string | undefined {
  const batch = new DatagramBatch();
  const payload = memory(2);
  batch.add(payload, 0, 1);
  batch.add(payload, 1, 1);
  const transmitter = new OffloadTransmitter(libc, scratch, { socket: { fd } }, () => 0);
  const sent = transmitter.transmit(batch);
  if (sent < batch.count) return transmitter.refusal;
  return transmitter.sentMessages === 1 ? undefined : (scratch.offReason ?? "EINVAL");
}
