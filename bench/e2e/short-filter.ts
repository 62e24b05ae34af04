/**
 * A socket filter that drops short datagrams in the kernel. A flood of them then costs the receiving program
 * nothing: the kernel drops them while the sender sends.
 */

import { SO_ATTACH_FILTER, SOL_SOCKET } from "../../src/net/linux/constants.ts";
import { type Libc, memory } from "../../src/net/linux/libc.ts";

const UDP_HEADER_BYTES = 8;
/** linux/filter.h: load the packet's length; jump if it is at least k; keep k bytes of the packet. */
const LOAD_LENGTH = 0x80;
const JUMP_IF_AT_LEAST = 0x35;
const KEEP = 0x06;

/** Makes the kernel drop datagrams shorter than `bytes`, and count them among the drops of the socket. */
export function ignoreShort(libc: Libc, fd: number, bytes: number): void {
  const instructions = [
    [LOAD_LENGTH, 0, 0, 0],
    [JUMP_IF_AT_LEAST, 0, 1, UDP_HEADER_BYTES + bytes],
    [KEEP, 0, 0, 0x40000],
    [KEEP, 0, 0, 0],
  ] as const;
  const code = memory(8 * instructions.length);
  const view = new DataView(code.buffer);
  for (const [index, [operation, ifTrue, ifFalse, k]] of instructions.entries()) {
    view.setUint16(8 * index, operation, true);
    view.setUint8(8 * index + 2, ifTrue);
    view.setUint8(8 * index + 3, ifFalse);
    view.setUint32(8 * index + 4, k, true);
  }
  const program = memory(16);
  new DataView(program.buffer).setUint16(0, instructions.length, true);
  new DataView(program.buffer).setBigUint64(8, BigInt(libc.addressOf(code.buffer)), true);
  if (libc.setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, program, program.length) !== 0)
    throw new Error(`cannot attach a filter: ${libc.errno()}`);
}
