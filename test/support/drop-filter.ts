/** A socket filter that drops every packet (socket(7), SO_ATTACH_FILTER). */

import { SO_ATTACH_FILTER, SOL_SOCKET } from "../../src/net/linux/constants.ts";
import { type Libc, memory } from "../../src/net/linux/libc.ts";

const RET_K = 0x06; // BPF_RET | BPF_K of linux/filter.h: keep k bytes of the packet, here 0

/** @returns whether it worked. For TCP sockets Linux 6.18 requires a privilege. */
export function attachDropFilter(libc: Libc, fd: number): boolean {
  // struct sock_filter: u16 code, u8 jt, u8 jf, u32 k
  const instruction = memory(8);
  new DataView(instruction.buffer).setUint16(0, RET_K, true);
  // struct sock_fprog: u16 len, then at 8 the address of the instructions
  const program = memory(16);
  const view = new DataView(program.buffer);
  view.setUint16(0, 1, true);
  view.setBigUint64(8, BigInt(libc.addressOf(instruction.buffer)), true);
  return libc.setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, program, program.length) === 0;
}
