/**
 * Stops a UDP socket from receiving, by a filter in the kernel that drops every datagram.
 *
 * Bun 1.4.5 reads a UDP socket until it is empty, however long that takes: under a flood no timer and no TCP socket
 * gets its turn. Closed after so many datagrams and opened with `setImmediate`, the gate ends that loop; what it drops
 * an overloaded socket would have dropped too. Datagrams that were queued before it closed are still delivered.
 */

import * as c from "./constants.ts";
import { type Libc, type Memory, memory } from "./libc.ts";

const RET_K = 0x06; // BPF_RET | BPF_K of linux/filter.h: keep so many bytes of the packet, here none

/** One gate serves any number of UDP sockets; it needs no privilege. (For TCP sockets Linux 6.18 asks for one.) */
export class ReceiveGate {
  readonly #libc: Libc;
  /** struct sock_filter: u16 code, u8 jt, u8 jf, u32 k (linux/filter.h). */
  readonly #instruction = memory(8);
  /** struct sock_fprog: u16 len, then at 8 the address of the instructions (linux/filter.h). */
  readonly #program = memory(16);
  readonly #nothing: Memory = memory(4);

  constructor(libc: Libc) {
    this.#libc = libc;
    new DataView(this.#instruction.buffer).setUint16(0, RET_K, true);
    const program = new DataView(this.#program.buffer);
    program.setUint16(0, 1, true);
    program.setBigUint64(8, BigInt(libc.addressOf(this.#instruction.buffer)), true);
  }

  /**
   * From now on the kernel drops what arrives, and counts it among the socket's drops (see `kernelDrops`).
   *
   * @returns undefined, or the errno name: EPERM where filters are locked (SO_LOCK_FILTER).
   */
  close(fd: number): string | undefined {
    const { length } = this.#program;
    const closed = this.#libc.setsockopt(fd, c.SOL_SOCKET, c.SO_ATTACH_FILTER, this.#program, length) === 0;
    return closed ? undefined : this.#libc.errno();
  }

  /** Datagrams are received again. Returns undefined, or the errno name: ENOENT when the gate was not closed. */
  open(fd: number): string | undefined {
    const opened = this.#libc.setsockopt(fd, c.SOL_SOCKET, c.SO_DETACH_FILTER, this.#nothing, 4) === 0;
    return opened ? undefined : this.#libc.errno();
  }
}
