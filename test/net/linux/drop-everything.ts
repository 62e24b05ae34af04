import { SOL_SOCKET } from "../../../src/net/linux/constants.ts";
import { type Libc, memory } from "../../../src/net/linux/libc.ts";

const SO_ATTACH_FILTER = 26; // asm-generic/socket.h
const RET_K = 0x06; // BPF_RET | BPF_K of linux/filter.h: keep so many bytes of the packet, here none

/** A filter in the kernel drops every packet before the socket sees it. @throws Error when that is not allowed. */
export function dropEverything(libc: Libc, fd: number): void {
  /** struct sock_filter: u16 code, u8 jt, u8 jf, u32 k (linux/filter.h). */
  const instruction = memory(8);
  /** struct sock_fprog: u16 len, then at 8 the address of the instructions (linux/filter.h). */
  const program = memory(16);
  new DataView(instruction.buffer).setUint16(0, RET_K, true);
  const view = new DataView(program.buffer);
  view.setUint16(0, 1, true);
  view.setBigUint64(8, BigInt(libc.addressOf(instruction.buffer)), true);
  if (libc.setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, program, program.length) !== 0)
    throw new Error(`no filter: ${libc.errno()}`);
}
