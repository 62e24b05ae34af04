/**
 * The layout of messages for recvmmsg(2) and sendmmsg(2) on 64-bit machines. Offsets are in 32-bit words:
 *
 *     mmsghdr    0 msg_name     2 msg_namelen     4 msg_iov    6 msg_iovlen
 *                8 msg_control 10 msg_controllen 12 msg_flags 14 msg_len
 *     iovec      0 iov_base     2 iov_len
 *     cmsghdr    0 cmsg_len     2 cmsg_level      3 cmsg_type   4 the data
 */

export const HEADER_WORDS = 16;
export const HEADER_BYTES = 4 * HEADER_WORDS;
export const NAME = 0;
export const NAME_LENGTH = 2;
export const IOVECS = 4;
export const IOVEC_COUNT = 6;
export const CONTROL = 8;
export const CONTROL_LENGTH = 10;
export const MESSAGE_LENGTH = 14;

export const IOVEC_WORDS = 4;
export const IOVEC_BYTES = 4 * IOVEC_WORDS;
export const IOVEC_LENGTH = 2;

export const CONTROL_LEVEL = 2;
export const CONTROL_TYPE = 3;
export const CONTROL_DATA = 4;

/** Writes a 64-bit address as two words. */
export function putAddress(words: Uint32Array, at: number, address: number): void {
  words[at] = address; // modulo 2^32
  words[at + 1] = address / 0x1_0000_0000;
}
