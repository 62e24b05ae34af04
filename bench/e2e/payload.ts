/**
 * The payload of a datagram, which the generator writes and the sink checks:
 *
 *     0  u32  sequence number, counted from 0 in each phase
 *     4  u32  phase in the high byte, source below it
 *     8  f64  time of sending, nanoseconds of the sender's monotonic clock
 *     16 u32  length of the payload
 *     20 u32  checksum of the above
 *     24 ...  a pattern computed from sequence number and length
 *
 * All fields are little-endian. The pattern repeats every few hundred datagrams, so a generator writes it
 * once and then only headers. The checksum covers the header.
 */

/** The smallest payload. */
export const HEADER_BYTES = 24;
/** The limits of a UDP_SEGMENT group: 64 datagrams, and the payload of one IPv4 datagram (udp(7)). */
const GROUP_DATAGRAMS_MAX = 64;
const GROUP_BYTES_MAX = 65_507;
const GROUPS = 8;

/**
 * Datagrams before, during and after counting. The tail flushes data that a relay holds back until more
 * arrives.
 */
export const WARM_UP = 0;
export const COUNTED = 1;
export const TAIL = 2;
export type Phase = typeof WARM_UP | typeof COUNTED | typeof TAIL;

/** The number of payloads of `size` bytes in one offload group. */
export function groupDatagrams(size: number): number {
  return Math.min(GROUP_DATAGRAMS_MAX, Math.max(1, Math.floor(GROUP_BYTES_MAX / size)));
}

/** The number of datagrams after which the pattern repeats. */
export function patternPeriod(size: number): number {
  return GROUPS * groupDatagrams(size);
}

/** Memory for one period of payloads of `size` bytes, with patterns and empty headers. */
export function patternRing(size: number): Uint8Array<ArrayBuffer> {
  const ring = new Uint8Array(new ArrayBuffer(patternPeriod(size) * size));
  for (let slot = 0; slot < patternPeriod(size); slot++) {
    let state = (slot + 1) * 0x9e3779b1 + size;
    for (let at = slot * size + HEADER_BYTES; at < (slot + 1) * size; at++) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
      ring[at] = state >>> 24;
    }
  }
  return ring;
}

/** Writes the header of a payload of `size` bytes that starts at `at`. */
export function writeHeader(
  view: DataView,
  at: number,
  sequence: number,
  phase: Phase,
  source: number,
  sentNs: number,
  size: number,
): void {
  view.setUint32(at, sequence, true);
  view.setUint32(at + 4, (phase << 24) | source, true);
  view.setFloat64(at + 8, sentNs, true);
  view.setUint32(at + 16, size, true);
  view.setUint32(at + 20, headerChecksum(view, at), true);
}

/**
 * Whether `length` bytes at `at` start with a valid header for this length. It does not check the pattern.
 */
export function headerHolds(view: DataView, at: number, length: number): boolean {
  return (
    length >= HEADER_BYTES &&
    view.getUint32(at + 16, true) === length &&
    view.getUint32(at + 20, true) === headerChecksum(view, at)
  );
}

/** Read the fields of a valid header. */
export function readSequence(view: DataView, at: number): number {
  return view.getUint32(at, true);
}

export function readPhase(view: DataView, at: number): number {
  return view.getUint8(at + 7);
}

export function readSource(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) & 0xff_ffff;
}

export function readSentNs(view: DataView, at: number): number {
  return view.getFloat64(at + 8, true);
}

/** FNV-1a over the five words before it. */
function headerChecksum(view: DataView, at: number): number {
  let hash = 0x811c9dc5;
  for (let word = 0; word < 20; word += 4) {
    hash = Math.imul(hash ^ view.getUint32(at + word, true), 0x0100_0193);
  }
  return hash >>> 0;
}
