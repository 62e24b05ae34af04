/**
 * Finds the payloads in the chunks of a TCP stream, without copying them.
 *
 *     decoder.push(chunk);
 *     while (decoder.next()) use(decoder.bytes, decoder.start, decoder.length);
 *
 * `next` walks the chunk frame by frame. The bytes after the last whole frame begin a frame that straddles
 * two chunks. They are copied into a buffer, which later chunks complete. It has the length of the payload if
 * that is at most 2 KiB. A longer one grows with the bytes that arrive, so that a header alone does not take
 * 64 KiB. A caller may stop between two `next` calls, for example when its UDP socket is full, and
 * continue later.
 *
 * Each straddling frame gets a new buffer, which costs one allocation per chunk. So a payload stays valid for
 * as long as the caller keeps it. A decoder without a chunk holds at most that buffer: 2 KiB, or twice what
 * has arrived of the payload.
 */

import { assertRules } from "./assert-rules.ts";
import { EMPTY, newBytes } from "./bytes.ts";
import { HEADER_BYTES } from "./header.ts";

/** A longer straddling payload begins in a buffer of this many bytes, or of twice what has arrived. */
const STRADDLING_BYTES = 2048;

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
  // Otherwise a buffer for its payload of #payloadBytes, of which the first #filled bytes are known.
  #lengthHighByte = -1;
  #straddling: Uint8Array | undefined;
  #payloadBytes = 0;
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
        : joined(
            Uint8Array.of(this.#payloadBytes >> 8, this.#payloadBytes),
            payload.subarray(0, this.#filled),
          );
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
      "a straddling payload is incomplete": payload === undefined || this.#filled < this.#payloadBytes,
      "its buffer is not longer than the payload": (payload?.length ?? 0) <= this.#payloadBytes,
      "its buffer has at most twice what has arrived":
        (payload?.length ?? 0) <= Math.max(STRADDLING_BYTES, 2 * this.#filled),
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
    let length = this.#payloadBytes;
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
      this.#begin((high << 8) | (this.#chunk[this.#position + 1] as number));
      this.#fill(this.#position + HEADER_BYTES);
    }
    this.#release();
  }

  #completeStraddling(): boolean {
    if (this.#straddling === undefined) {
      if (this.#position === this.#chunk.length) return false;
      this.#begin((this.#lengthHighByte << 8) | (this.#chunk[this.#position++] as number));
    }
    const payload = this.#fill(this.#position);
    if (this.#filled < this.#payloadBytes) {
      this.#release();
      return false;
    }
    this.bytes = payload;
    this.start = 0;
    this.length = this.#payloadBytes;
    this.#straddling = undefined;
    this.frames--;
    this.framesBytes -= this.#payloadBytes;
    return true;
  }

  #begin(payloadBytes: number): void {
    this.#lengthHighByte = -1;
    this.#straddling = EMPTY;
    this.#payloadBytes = payloadBytes;
    this.#filled = 0;
  }

  /** Copies what the straddling payload lacks from the chunk. @returns the payload's buffer. */
  #fill(from: number): Uint8Array {
    const bytes = Math.min(this.#payloadBytes - this.#filled, this.#chunk.length - from);
    const payload = this.#withRoom(this.#filled + bytes);
    payload.set(this.#chunk.subarray(from, from + bytes), this.#filled);
    this.#filled += bytes;
    this.#position = from + bytes;
    this.#straddling = payload;
    return payload;
  }

  /** The buffer of the straddling payload, or a longer one with a copy: at least `bytes` long. */
  #withRoom(bytes: number): Uint8Array {
    const payload = this.#straddling as Uint8Array;
    if (payload.length >= bytes) return payload;
    const longer = newBytes(Math.min(this.#payloadBytes, Math.max(STRADDLING_BYTES, 2 * bytes)));
    longer.set(payload.subarray(0, this.#filled));
    return longer;
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
