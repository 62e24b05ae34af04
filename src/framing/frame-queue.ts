/**
 * Framed datagrams that wait for a TCP stream, in a ring buffer. Limited in bytes, frames and age; the oldest
 * frames are dropped first.
 *
 *     ring      ... | rest of a partly written frame | whole frame | whole frame | ...
 *                   ^ consumed                       ^ boundary                  ^ committed
 *
 * The three are byte positions that only grow (exact up to 2^53 bytes, 104 days at 1 GB/s). The place of a
 * position in the ring is position & mask. `invariants` checks, among others:
 *
 *     consumed <= boundary <= committed <= consumed + capacity
 *
 * A frame of which the stream has taken one byte is never dropped, or the stream would lose its framing. The
 * limits apply only to the whole frames behind it. To drop those, or to replace the ring, the unwritten bytes
 * of the frame are copied to a buffer of their own. They are written next.
 */

import { assertRules } from "./assert-rules.ts";
import { copyFromRing, copyIntoRing, EMPTY, newBytes, powerOfTwo } from "./bytes.ts";
import { assertFits, HEADER_BYTES, PAYLOAD_BYTES_MAX } from "./header.ts";

/** The limits of a queue. The constructor throws RangeError when one is out of bounds. */
export interface FrameQueueLimits {
  /**
   * Bytes of whole frames, headers included: 65,537 (any one datagram fits) to 2^30. The ring never grows
   * beyond the next power of two.
   */
  bytesMax: number;
  /** Whole frames, 1 or more; Infinity for no other limit than `bytesMax`. */
  framesMax: number;
  /** Bytes of the ring at the start, 0 or more. It doubles when needed. Default: `bytesMax`. */
  bytesInitial?: number;
}

// The mask of a ring of 2^32 bytes would be -1 to the operator &.
const BYTES_MAX_MAX = 2 ** 30;

// The array of push times is sized for frames of this length. It doubles when they are smaller.
const FRAME_BYTES_EXPECTED = 128;

/**
 * Frames datagrams and keeps them until a stream takes them. `push` copies a datagram in, `peek` lends the
 * bytes to write, `consume` removes the bytes that were written.
 */
export class FrameQueue {
  readonly #bytesMax: number;
  readonly #framesMax: number;
  readonly #ringBytesInitial: number;
  readonly #timesInitial: number;

  #ring: Uint8Array<ArrayBuffer>;
  #consumed = 0;
  #boundary = 0;
  #committed = 0;
  #aside: Uint8Array = EMPTY;

  // When each whole frame was pushed, by frame number. The ring holds the frames first <= number < end.
  #pushedAt: Float64Array;
  #first = 0;
  #end = 0;

  /** @throws RangeError when a limit is out of its bounds. */
  constructor(limits: FrameQueueLimits) {
    const { bytesMax, framesMax, bytesInitial = bytesMax } = limits;
    if (!(bytesMax >= HEADER_BYTES + PAYLOAD_BYTES_MAX && bytesMax <= BYTES_MAX_MAX))
      throw new RangeError(`bytesMax must be 65,537 to 2^30, not ${bytesMax}`);
    if (!(framesMax >= 1)) throw new RangeError(`framesMax must be 1 or more, not ${framesMax}`);
    if (!(bytesInitial >= 0)) throw new RangeError(`bytesInitial must be 0 or more, not ${bytesInitial}`);
    this.#bytesMax = bytesMax;
    this.#framesMax = framesMax;
    this.#ringBytesInitial = powerOfTwo(Math.min(bytesInitial, bytesMax));
    this.#timesInitial = powerOfTwo(Math.min(framesMax, this.#ringBytesInitial / FRAME_BYTES_EXPECTED));
    this.#ring = newBytes(this.#ringBytesInitial);
    this.#pushedAt = new Float64Array(this.#timesInitial);
  }

  /** Queued frames, a partly written one included. */
  get frames(): number {
    return this.#end - this.#first + (this.#hasPartial ? 1 : 0);
  }

  /** Queued bytes, headers included. */
  get bytes(): number {
    return this.#committed - this.#consumed + this.#aside.length;
  }

  /** Bytes of the ring's memory. */
  get capacityBytes(): number {
    return this.#ring.length;
  }

  /** When the oldest whole frame was pushed; Infinity without one. */
  get oldestPushedAt(): number {
    return this.#first === this.#end
      ? Infinity
      : (this.#pushedAt[this.#first & (this.#pushedAt.length - 1)] as number);
  }

  /**
   * Frames a datagram and appends it. Drops the oldest frames while a limit is exceeded.
   *
   * @param datagram 0 to 65,535 bytes, copied before return.
   * @param now the caller's clock, in any unit. It must not go back.
   * @returns how many frames were dropped, mostly 0.
   * @throws RangeError when the datagram is longer than a header can announce.
   */
  push(datagram: Uint8Array, now: number): number {
    assertFits(datagram.length);
    const frameBytes = HEADER_BYTES + datagram.length;
    let dropped = 0;
    while (
      this.#committed - this.#boundary + frameBytes > this.#bytesMax ||
      this.#end - this.#first >= this.#framesMax
    ) {
      this.dropOldest();
      dropped++;
    }
    this.#makeRoom(frameBytes);
    const mask = this.#ring.length - 1;
    const at = this.#committed & mask;
    this.#ring[at] = datagram.length >> 8;
    this.#ring[(at + 1) & mask] = datagram.length;
    copyIntoRing(this.#ring, (at + HEADER_BYTES) & mask, datagram);
    this.#committed += frameBytes;
    this.#pushedAt[this.#end++ & (this.#pushedAt.length - 1)] = now;
    return dropped;
  }

  /**
   * The next bytes for the stream: a view into the ring, borrowed until the next call that changes the queue.
   * Empty when the queue is empty. The view ends at the end of the ring: consume it, then peek again.
   *
   * @param bytesMax the view has whole frames of at most this many bytes in all, but always the first frame.
   */
  peek(bytesMax = Infinity): Uint8Array {
    if (this.#aside.length > 0) return this.#aside;
    let end = this.#committed;
    if (end - this.#consumed > bytesMax) {
      end = this.#boundary === this.#consumed ? this.#frameEnd(this.#boundary) : this.#boundary;
      for (let next = end; next - this.#consumed <= bytesMax; next = this.#frameEnd(next)) end = next;
    }
    const at = this.#consumed & (this.#ring.length - 1);
    return this.#ring.subarray(at, Math.min(at + end - this.#consumed, this.#ring.length));
  }

  /**
   * Removes the first `count` bytes of what {@link peek} returned: the stream has taken them.
   *
   * @param count 0 to the length of that view.
   * @param onFrame called with the push time of each frame of which the stream took the first byte.
   * @returns how many frames are now completely written.
   * @throws RangeError, and changes nothing, when `count` is negative (a closed socket's -1) or too large.
   */
  consume(count: number, onFrame?: (pushedAt: number) => void): number {
    const countMax = this.#aside.length > 0 ? this.#aside.length : this.#committed - this.#consumed;
    if (!(count >= 0 && count <= countMax))
      throw new RangeError(`the stream cannot have taken ${count} bytes`);
    const framesBefore = this.frames;
    if (this.#aside.length > 0) {
      this.#aside = count === this.#aside.length ? EMPTY : this.#aside.subarray(count);
      return framesBefore - this.frames;
    }
    this.#consumed += count;
    while (this.#boundary < this.#consumed) {
      this.#boundary = this.#frameEnd(this.#boundary);
      onFrame?.(this.#pushedAt[this.#first & (this.#pushedAt.length - 1)] as number);
      this.#first++;
    }
    return framesBefore - this.frames;
  }

  /** Drops the oldest whole frame. @returns whether there was one. */
  dropOldest(): boolean {
    if (this.#first === this.#end) return false;
    if (this.#consumed < this.#boundary) this.#setAside();
    this.#boundary = this.#frameEnd(this.#boundary);
    this.#consumed = this.#boundary;
    this.#first++;
    return true;
  }

  /** Drops every whole frame pushed before `time`. @returns how many. */
  dropPushedBefore(time: number): number {
    let dropped = 0;
    while (this.oldestPushedAt < time) {
      this.dropOldest();
      dropped++;
    }
    return dropped;
  }

  /**
   * Prepares for a new stream, which begins on a frame boundary.
   *
   * @returns frames lost with the old stream: 1 if it had taken a part of one, else 0.
   */
  startStream(): number {
    const lost = this.#hasPartial ? 1 : 0;
    this.#consumed = this.#boundary;
    this.#aside = EMPTY;
    return lost;
  }

  /** Sets the push time of every whole frame to `now`. */
  restartAges(now: number): void {
    this.#pushedAt.fill(now);
  }

  /** Releases memory beyond the initial size if the queue is empty. */
  shrink(): void {
    if (this.bytes > 0) return;
    if (this.#ring.length > this.#ringBytesInitial) this.#ring = newBytes(this.#ringBytesInitial);
    if (this.#pushedAt.length > this.#timesInitial) this.#pushedAt = new Float64Array(this.#timesInitial);
  }

  /**
   * @internal For tests, after each change. Takes time in proportion to what is queued.
   * @throws Error that names the rules which are broken.
   */
  invariants(): void {
    const [first, end, times] = [this.#first, this.#end, this.#pushedAt];
    const pushedAt = (frame: number) => times[frame & (times.length - 1)] as number;
    let position = this.#boundary;
    let ordered = true;
    for (let frame = first; frame < end; frame++) {
      position = this.#frameEnd(position);
      ordered &&= frame === first || pushedAt(frame - 1) <= pushedAt(frame);
    }
    assertRules("FrameQueue", {
      "consumed <= boundary": this.#consumed <= this.#boundary,
      "boundary <= committed": this.#boundary <= this.#committed,
      "committed <= consumed + capacity": this.#committed <= this.#consumed + this.#ring.length,
      "the whole frames fill the ring from boundary to committed": position === this.#committed,
      "whole frames keep to bytesMax": this.#committed - this.#boundary <= this.#bytesMax,
      "whole frames keep to framesMax": end - first <= this.#framesMax,
      "every whole frame has a push time": first <= end && end - first <= times.length,
      "push times do not decrease": ordered,
      "one frame at most is partly written": this.#aside.length === 0 || this.#consumed === this.#boundary,
      "sizes are powers of two":
        powerOfTwo(this.#ring.length) === this.#ring.length && powerOfTwo(times.length) === times.length,
      "the ring is not larger than needed for bytesMax": this.#ring.length <= powerOfTwo(this.#bytesMax),
    });
  }

  get #hasPartial(): boolean {
    return this.#consumed < this.#boundary || this.#aside.length > 0;
  }

  /** The position after the frame at `position`. Its header may wrap around the end of the ring. */
  #frameEnd(position: number): number {
    const mask = this.#ring.length - 1;
    const high = this.#ring[position & mask] as number;
    const low = this.#ring[(position + 1) & mask] as number;
    return position + HEADER_BYTES + ((high << 8) | low);
  }

  #setAside(): void {
    this.#aside = this.#copyOut(this.#boundary);
    this.#consumed = this.#boundary;
  }

  #makeRoom(frameBytes: number): void {
    if (this.#committed - this.#consumed + frameBytes > this.#ring.length) this.#growRing(frameBytes);
    if (this.#end - this.#first === this.#pushedAt.length) {
      const larger = new Float64Array(this.#pushedAt.length * 2);
      for (let number = this.#first; number < this.#end; number++) {
        larger[number & (larger.length - 1)] = this.#pushedAt[number & (this.#pushedAt.length - 1)] as number;
      }
      this.#pushedAt = larger;
    }
  }

  #growRing(frameBytes: number): void {
    // Whole frames keep to bytesMax: only the rest of a partly written frame can exceed the largest ring.
    if (this.#committed - this.#consumed + frameBytes > powerOfTwo(this.#bytesMax)) this.#setAside();
    const ringBytes = powerOfTwo(this.#committed - this.#consumed + frameBytes);
    if (ringBytes <= this.#ring.length) return;
    const queued = this.#copyOut(this.#committed);
    this.#ring = newBytes(ringBytes);
    copyIntoRing(this.#ring, this.#consumed & (ringBytes - 1), queued);
  }

  /** A copy of the bytes from `consumed` to this position. */
  #copyOut(to: number): Uint8Array {
    return copyFromRing(this.#ring, this.#consumed & (this.#ring.length - 1), to - this.#consumed);
  }
}
