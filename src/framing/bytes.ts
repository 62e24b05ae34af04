/** Memory for bytes, and copies in and out of a ring whose length is a power of two. */

export const EMPTY = newBytes(0);

/** Made from an ArrayBuffer, as the kernel gets the address: bun:ffi moves other small typed arrays. */
export function newBytes(length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new ArrayBuffer(length));
}

/** The smallest power of two that is not below `atLeast`, which is at most 2^31. */
export function powerOfTwo(atLeast: number): number {
  return atLeast <= 1 ? 1 : 2 ** (32 - Math.clz32(atLeast - 1));
}

/** Copies `bytes` into the ring from index `at` on. */
export function copyIntoRing(ring: Uint8Array, at: number, bytes: Uint8Array): void {
  const untilEnd = ring.length - at;
  if (bytes.length <= untilEnd) {
    ring.set(bytes, at);
  } else {
    ring.set(bytes.subarray(0, untilEnd), at);
    ring.set(bytes.subarray(untilEnd), 0);
  }
}

/** A copy of `length` bytes of the ring from index `at` on. */
export function copyFromRing(ring: Uint8Array, at: number, length: number): Uint8Array {
  const copy = newBytes(length);
  const untilEnd = Math.min(length, ring.length - at);
  copy.set(ring.subarray(at, at + untilEnd));
  copy.set(ring.subarray(0, length - untilEnd), untilEnd);
  return copy;
}
