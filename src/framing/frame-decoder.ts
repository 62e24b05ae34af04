/**
 * From the chunks of a TCP stream to the payloads in it, without copying them.
 *
 *     decoder.push(chunk);
 *     while (decoder.next()) use(decoder.bytes, decoder.start, decoder.length);
 *
 * `next` walks the chunk frame by frame. What is left when no whole frame remains is the beginning of a frame that
 * straddles two chunks: it is copied once into a buffer of exactly that frame's length and completed by later chunks.
 * A caller may stop between two `next` calls (its UDP socket is full) and go on later; nothing moves meanwhile.
 *
 * The buffer of a straddling frame is new each time, on purpose: a payload handed out stays valid for as long as the
 * caller keeps it, a decoder at rest holds no more than the frame it waits for, and it costs one allocation a chunk
 * beside the chunk's own.
 */

import { HEADER_BYTES } from "./header.ts";

const NOTHING = new Uint8Array(new ArrayBuffer(0));

/**
 * Takes the chunks of one stream and hands out the payload of each frame in it. For a new stream, a new decoder. Nothing
 * on the stream is an error: any bytes are frames, of 65,535 bytes of payload at most.
 */
export class FrameDecoder {
  /**
   * Holds the current payload; empty once `next` has said false, so that a decoder at rest holds no chunk. Never
   * written again by the decoder: who keeps the reference keeps the payload, without copying.
   */
  bytes: Uint8Array = NOTHING;
  /** Where the current payload begins in {@link bytes}. */
  start = 0;
  /** Bytes of the current payload, 0 to 65,535. */
  length = 0;
  /** Whole frames that have been pushed and not returned by `next` yet, and the bytes of their payloads. */
  frames = 0;
  framesBytes = 0;

  #chunk: Uint8Array = NOTHING;
  #position = 0;

  // A straddling frame: first the lone high byte of its length (or -1), then its payload, filled up to #filled.
  #lengthHighByte = -1;
  #straddling: Uint8Array | undefined;
  #filled = 0;

  /**
   * Gives the decoder the next bytes of the stream.
   *
   * The current payload stays as it is. A chunk pushed before the last was walked to its end is joined to what is left
   * of that one, which copies both: for the odd chunk that comes after a pause, not for every one.
   *
   * @param chunk any number of bytes, cut anywhere. Ownership passes to the decoder: do not write into it afterwards.
   */
  push(chunk: Uint8Array): void {
    const left = this.#chunk.length - this.#position;
    this.#chunk = left === 0 ? chunk : joined(this.#chunk.subarray(this.#position), chunk);
    this.#position = 0;
    this.#count();
  }

  /** Moves on to the next whole frame and says whether there is one; false means: push the next chunk. */
  next(): boolean {
    if (this.#lengthHighByte >= 0 || this.#straddling !== undefined) return this.#completeStraddling();
    const chunk = this.#chunk;
    const position = this.#position;
    const left = chunk.length - position;
    if (left >= HEADER_BYTES) {
      const length = ((chunk[position] as number) << 8) | (chunk[position + 1] as number);
      if (left - HEADER_BYTES >= length) {
        this.bytes = chunk;
        this.start = position + HEADER_BYTES;
        this.length = length;
        this.#position = position + HEADER_BYTES + length;
        this.frames--;
        this.framesBytes -= length;
        return true;
      }
    }
    this.#keepTail();
    return false;
  }

  /** Bytes pushed that no payload has yet been made of. */
  get undecodedBytes(): number {
    const straddling = this.#straddling === undefined ? 0 : HEADER_BYTES + this.#filled;
    return this.#chunk.length - this.#position + straddling + (this.#lengthHighByte >= 0 ? 1 : 0);
  }

  /** Walks the headers in the chunk, which has just been pushed. */
  #count(): void {
    const chunk = this.#chunk;
    this.frames = 0;
    this.framesBytes = 0;
    let position = this.#countStraddling();
    while (position + HEADER_BYTES <= chunk.length) {
      const length = ((chunk[position] as number) << 8) | (chunk[position + 1] as number);
      position += HEADER_BYTES + length;
      if (position > chunk.length) break;
      this.frames++;
      this.framesBytes += length;
    }
  }

  /** Returns where the frame after it begins, perhaps beyond the chunk. */
  #countStraddling(): number {
    let length = this.#straddling?.length ?? 0;
    let end = length - this.#filled;
    if (this.#straddling === undefined) {
      if (this.#lengthHighByte < 0 || this.#chunk.length === 0) return 0;
      length = (this.#lengthHighByte << 8) | (this.#chunk[0] as number);
      end = 1 + length;
    }
    if (end > this.#chunk.length) return end;
    this.frames++;
    this.framesBytes += length;
    return end;
  }

  #keepTail(): void {
    const left = this.#chunk.length - this.#position;
    if (left === 1) {
      this.#lengthHighByte = this.#chunk[this.#position] as number;
    } else if (left > 1) {
      const high = this.#chunk[this.#position] as number;
      const payload = this.#begin((high << 8) | (this.#chunk[this.#position + 1] as number));
      this.#fill(payload, this.#position + HEADER_BYTES);
    }
    this.#release();
  }

  #completeStraddling(): boolean {
    let payload = this.#straddling;
    if (payload === undefined) {
      if (this.#position === this.#chunk.length) return false;
      payload = this.#begin((this.#lengthHighByte << 8) | (this.#chunk[this.#position++] as number));
    }
    this.#position = this.#fill(payload, this.#position);
    if (this.#filled < payload.length) {
      this.#release();
      return false;
    }
    this.bytes = payload;
    this.start = 0;
    this.length = payload.length;
    this.#straddling = undefined;
    this.frames--;
    this.framesBytes -= payload.length;
    return true;
  }

  #begin(length: number): Uint8Array {
    // ArrayBuffer first: memory whose address the kernel is given must not move (bun:ffi moves small typed arrays).
    const payload = new Uint8Array(new ArrayBuffer(length));
    this.#lengthHighByte = -1;
    this.#straddling = payload;
    this.#filled = 0;
    return payload;
  }

  /** Copies from the chunk what the straddling payload still lacks; returns the position after it. */
  #fill(payload: Uint8Array, from: number): number {
    const to = Math.min(from + payload.length - this.#filled, this.#chunk.length);
    payload.set(this.#chunk.subarray(from, to), this.#filled);
    this.#filled += to - from;
    return to;
  }

  #release(): void {
    this.#chunk = NOTHING;
    this.#position = 0;
    this.bytes = NOTHING;
    this.start = 0;
    this.length = 0;
  }
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(new ArrayBuffer(first.length + second.length));
  both.set(first);
  both.set(second, first.length);
  return both;
}
