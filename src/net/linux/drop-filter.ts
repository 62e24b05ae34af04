/** A filter in the kernel that drops every packet before a socket sees it (socket(7), SO_ATTACH_FILTER). */

import { SO_ATTACH_FILTER, SO_DETACH_FILTER, SOL_SOCKET } from "./constants.ts";
import { type Libc, memory } from "./libc.ts";

const RET_K = 0x06; // BPF_RET | BPF_K of linux/filter.h: keep so many bytes of the packet, here none

/** One serves any number of UDP sockets; it needs no privilege. (For TCP sockets Linux 6.18 asks for one.) */
export class DropFilter {
  readonly #libc: Libc;
  /** struct sock_filter: u16 code, u8 jt, u8 jf, u32 k (linux/filter.h). */
  readonly #instruction = memory(8);
  /** struct sock_fprog: u16 len, then at 8 the address of the instructions (linux/filter.h). */
  readonly #program = memory(16);

  constructor(libc: Libc) {
    this.#libc = libc;
    new DataView(this.#instruction.buffer).setUint16(0, RET_K, true);
    const program = new DataView(this.#program.buffer);
    program.setUint16(0, 1, true);
    program.setBigUint64(8, BigInt(libc.addressOf(this.#instruction.buffer)), true);
  }

  /** From now on everything is dropped, and counted among the socket's drops. Says whether it worked. */
  attach(fd: number): boolean {
    const { length } = this.#program;
    return this.#libc.setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, this.#program, length) === 0;
  }

  detach(fd: number): void {
    this.#libc.setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, memory(4), 4);
  }
}
