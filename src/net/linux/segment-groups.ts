/** Which datagrams in a row the kernel can take as one message and cut apart again (udp(7), UDP_SEGMENT). */

/** Datagrams one message may be cut into: UDP_MAX_SEGMENTS of linux/udp.h before Linux 6.9 made it 128. */
export const SEGMENTS_MAX = 64;

/** Payload bytes of one message, all its segments together: what one IPv4 datagram can carry (RFC 791, RFC 768). */
export const GROUP_BYTES_MAX = 65_507;

/**
 * Where the group that begins at `from` ends: datagrams of one length, of which the last may be shorter. An empty
 * datagram, which no cutting can make, stands alone.
 *
 * @param lengths payload bytes of each datagram.
 * @param from less than `count`.
 * @returns the index after the group, `from + 1` to `count`.
 */
export function groupEnd(lengths: ArrayLike<number>, from: number, count: number): number {
  const segment = lengths[from] as number;
  const limit = segment === 0 ? from + 1 : Math.min(count, from + SEGMENTS_MAX);
  let bytes = segment;
  let end = from + 1;
  while (end < limit) {
    const length = lengths[end] as number;
    bytes += length;
    if (length === 0 || length > segment || bytes > GROUP_BYTES_MAX) return end;
    end++;
    if (length < segment) return end;
  }
  return end;
}
