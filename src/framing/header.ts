/**
 * The wire format: each datagram follows its length, 16 bits, big-endian. Nothing else is on the stream.
 *
 * It is the format of Columbia's UDPTunnel 1.1 (1999), of RTP over a connection (RFC 4571) and of DNS over
 * TCP (RFC 1035, 4.2.2).
 */

/** Bytes of the header before each payload. */
export const HEADER_BYTES = 2;

/** The longest payload a header can announce, in bytes. */
export const PAYLOAD_BYTES_MAX = 0xffff;

/** The longest UDP payload over IPv4: 65,535 less 20 bytes of IPv4 (RFC 791) and 8 of UDP (RFC 768). */
export const UDP4_PAYLOAD_BYTES_MAX = 65_507;

/** The longest UDP payload over IPv6 without jumbograms: 65,535 less 8 bytes of UDP (RFC 8200, RFC 768). */
export const UDP6_PAYLOAD_BYTES_MAX = 65_527;

/**
 * Frames one datagram, in a new array that the caller owns.
 *
 * @param datagram 0 to {@link PAYLOAD_BYTES_MAX} bytes, borrowed until return.
 * @throws RangeError when the datagram is longer than a header can announce.
 */
export function encodeFrame(datagram: Uint8Array): Uint8Array<ArrayBuffer> {
  assertFits(datagram.length);
  const frame = new Uint8Array(HEADER_BYTES + datagram.length);
  frame[0] = datagram.length >> 8;
  frame[1] = datagram.length;
  frame.set(datagram, HEADER_BYTES);
  return frame;
}

/** Throws RangeError unless a header can announce this many bytes. */
export function assertFits(payloadBytes: number): void {
  if (payloadBytes > PAYLOAD_BYTES_MAX) {
    throw new RangeError(`a frame carries at most ${PAYLOAD_BYTES_MAX} bytes, not ${payloadBytes}`);
  }
}
