/**
 * Finds groups of datagrams that the kernel accepts as one message and splits again (udp(7), UDP_SEGMENT).
 */

/** The most datagrams of one message: UDP_MAX_SEGMENTS of linux/udp.h, before Linux 6.9 raised it to 128. */
export const SEGMENTS_MAX = 64;

/**
 * The most payload bytes of one message, all segments together: the payload of one IPv4 datagram (RFC 791,
 * RFC 768).
 */
export const GROUP_BYTES_MAX = 65_507;

/**
 * Finds the end of the group that starts at `from`. A group has datagrams of one length; the last may be
 * shorter. An empty datagram is a group of its own, because splitting cannot create it.
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
