/**
 * Finds the payloads in the chunks of a TCP stream, without copying them.
 *
 *     decoder.push(chunk);
 *     while (decoder.next()) use(decoder.bytes, decoder.start, decoder.length);
 *
 * `next` walks the chunk frame by frame. The bytes after the last whole frame begin a frame that straddles
 * two chunks. They are copied once, into a buffer of exactly that payload's length, which later chunks
 * complete. A caller may stop between two `next` calls, for example when its UDP socket is full, and continue
 * later.
 *
 * Each straddling frame gets a new buffer, which costs one allocation per chunk. So a payload stays valid for
 * as long as the caller keeps it, and a decoder without a chunk holds at most that frame.
 */

import { assertRules } from "./assert-rules.ts";
import { EMPTY, newBytes } from "./bytes.ts";
import { HEADER_BYTES } from "./header.ts";

/**
 * Takes the chunks of one stream and returns the payload of each frame. Each stream needs a new decoder. No
 * stream is invalid: any bytes are frames of at most 65,535 bytes of payload.
 */
export class FrameDecoder {
  /**
   * Holds the current payload. Empty after `next` has returned false, so that the decoder keeps no chunk. The
   * decoder never writes into it again: a caller that keeps the reference keeps the payload, without a copy.
   */
  bytes: Uint8Array = EMPTY;
  /** The index of the current payload in {@link bytes}. */
  start = 0;
  /** Bytes of the current payload, 0 to 65,535. */
  length = 0;
  /** Whole frames pushed and not yet returned by `next`. */
  frames = 0;
  /** Bytes of the payloads of these {@link frames}. */
  framesBytes = 0;

  #chunk: Uint8Array = EMPTY;
  #position = 0;

  // A straddling frame. If only its first byte is known, that is the high byte of its length; else -1.
  // Otherwise its payload, of which the first #filled bytes are known.
  #lengthHighByte = -1;
  #straddling: Uint8Array | undefined;
  #filled = 0;

  /**
   * Adds the next bytes of the stream. The current payload does not change.
   *
   * If the last chunk was not walked to its end, its rest and the new chunk are copied into one. This is for
   * the rare chunk that arrives after the stream was paused.
   *
   * @param chunk any number of bytes, cut anywhere. The decoder owns it from now on: do not write into it.
   */
  push(chunk: Uint8Array): void {
    const left = this.#chunk.length - this.#position;
    this.#chunk = left === 0 ? chunk : joined(this.#chunk.subarray(this.#position), chunk);
    this.#position = 0;
    this.#count();
  }

  /** Goes to the next whole frame. @returns whether there is one. After false, push the next chunk. */
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

  /** Bytes pushed that `next` has not returned as a frame yet. */
  get undecodedBytes(): number {
    const straddling = this.#straddling === undefined ? 0 : HEADER_BYTES + this.#filled;
    return this.#chunk.length - this.#position + straddling + (this.#lengthHighByte >= 0 ? 1 : 0);
  }

  /**
   * @internal For tests, after each change. Takes time in proportion to what is undecoded.
   * @throws Error that names the rules which are broken.
   */
  invariants(): void {
    const payload = this.#straddling;
    const known =
      payload === undefined
        ? Uint8Array.from(this.#lengthHighByte < 0 ? [] : [this.#lengthHighByte])
        : joined(Uint8Array.of(payload.length >> 8, payload.length), payload.subarray(0, this.#filled));
    const undecoded = joined(known, this.#chunk.subarray(this.#position));
    let frames = 0;
    let position = 0;
    while (position + HEADER_BYTES <= undecoded.length) {
      const [high = 0, low = 0] = undecoded.subarray(position, position + HEADER_BYTES);
      const end = position + HEADER_BYTES + ((high << 8) | low);
      if (end > undecoded.length) break;
      position = end;
      frames++;
    }
    assertRules("FrameDecoder", {
      "position is in the chunk": this.#position <= this.#chunk.length,
      "the current payload is in bytes": this.start + this.length <= this.bytes.length,
      "a straddling frame has either one byte or a payload":
        payload === undefined || this.#lengthHighByte < 0,
      "a straddling payload is incomplete": payload === undefined || this.#filled < payload.length,
      "frames counts the whole frames": this.frames === frames,
      "framesBytes counts their payloads": this.framesBytes === position - frames * HEADER_BYTES,
      "undecodedBytes counts every byte": this.undecodedBytes === undecoded.length,
    });
  }

  /** Counts the whole frames in a chunk that has just been pushed, by their headers. */
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

  /** @returns where the frame after the straddling one begins. It may be beyond the end of the chunk. */
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
    const payload = newBytes(length);
    this.#lengthHighByte = -1;
    this.#straddling = payload;
    this.#filled = 0;
    return payload;
  }

  /** Copies what the straddling payload lacks from the chunk. @returns the position after it. */
  #fill(payload: Uint8Array, from: number): number {
    const to = Math.min(from + payload.length - this.#filled, this.#chunk.length);
    payload.set(this.#chunk.subarray(from, to), this.#filled);
    this.#filled += to - from;
    return to;
  }

  #release(): void {
    this.#chunk = EMPTY;
    this.#position = 0;
    this.bytes = EMPTY;
    this.start = 0;
    this.length = 0;
  }
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = newBytes(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
