/**
 * Datagrams on their way into a TCP stream, already framed, in a ring buffer: bounded in bytes, frames and age, the
 * oldest dropped first.
 *
 *     ring      ... | rest of a frame partly written | whole frame | whole frame | ...
 *                   ^ consumed                       ^ boundary                  ^ committed
 *
 * Invariant: consumed <= boundary <= committed <= consumed + capacity. The three are byte positions that only grow
 * (exact up to 2^53 bytes, 104 days at 1 GB/s); a position's place in the ring is position & mask.
 *
 * A frame of which the stream has taken one byte is never dropped, else the stream would lose its framing: it stands
 * outside the limits, which bound the whole frames behind it. Where it is in the way, of dropping what stands behind
 * it or of room in the ring, its unwritten rest is set aside; it is then the next to be written.
 */

import { assertFits, HEADER_BYTES, PAYLOAD_BYTES_MAX } from "./header.ts";

/** What one queue may hold. Out of bounds, a limit makes the constructor throw RangeError. */
export interface FrameQueueLimits {
  /**
   * Bytes of whole frames (headers included) that may wait, 65,537 (any one datagram fits) to 2^30. The ring never
   * grows beyond the next power of two.
   */
  bytesMax: number;
  /** Whole frames that may wait, 1 or more; Infinity leaves it to `bytesMax`. */
  framesMax: number;
  /** Bytes of ring to allocate at once, 0 or more; it doubles up to `bytesMax` when needed. Default: all of it. */
  bytesInitial?: number;
}

// A ring of 2^32 bytes would need a mask that & takes for -1.
const BYTES_MAX_MAX = 2 ** 30;

// Room for the push times of frames this small is made at once; for smaller ones it doubles.
const FRAME_BYTES_EXPECTED = 128;

const NOTHING = new Uint8Array(new ArrayBuffer(0));

/**
 * Frames datagrams and keeps them until a stream takes them: `push` copies a datagram in, `peek` lends the bytes to be
 * written, `consume` tells how many of them were.
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
  #aside: Uint8Array = NOTHING;

  // When each whole frame was pushed, by frame number: the frames first <= number < end are in the ring.
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
    this.#ring = bytesOf(this.#ringBytesInitial);
    this.#pushedAt = new Float64Array(this.#timesInitial);
  }

  /** Frames waiting, one that is partly written included. */
  get frames(): number {
    return this.#end - this.#first + (this.#hasPartial ? 1 : 0);
  }

  /** Bytes waiting to be written, headers included. */
  get bytes(): number {
    return this.#committed - this.#consumed + this.#aside.length;
  }

  /** Bytes of memory the ring holds now. */
  get capacityBytes(): number {
    return this.#ring.length;
  }

  /** When the oldest frame that may still be dropped was pushed; Infinity when there is none. */
  get oldestPushedAt(): number {
    return this.#first === this.#end
      ? Infinity
      : (this.#pushedAt[this.#first & (this.#pushedAt.length - 1)] as number);
  }

  /**
   * Frames a datagram and appends it, dropping the oldest frames where the limits ask for it.
   *
   * @param datagram 0 to 65,535 bytes, copied before return.
   * @param now the caller's clock, in any unit, never going back.
   * @returns how many frames were dropped to make room, mostly 0.
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
    this.#copyIn(datagram, (at + HEADER_BYTES) & mask);
    this.#committed += frameBytes;
    this.#pushedAt[this.#end++ & (this.#pushedAt.length - 1)] = now;
    return dropped;
  }

  /**
   * The next bytes for the stream: a view into the ring, borrowed until the next call that changes the queue; empty
   * when nothing waits. Where the ring ends the view ends too: consume it, then peek again.
   *
   * @param bytesMax take whole frames up to this many bytes in all, but always the frame at the head.
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
   * Tells the queue that the stream has taken the first `count` bytes of what {@link peek} returned.
   *
   * @param count 0 to the length of that view.
   * @param onFrame called with the push time of each frame the stream began to take, for those who measure delay.
   * @returns how many frames are now wholly written.
   * @throws RangeError, having changed nothing, when `count` is negative or more than waits (a closed socket's -1).
   */
  consume(count: number, onFrame?: (pushedAt: number) => void): number {
    const waiting = this.#aside.length > 0 ? this.#aside.length : this.#committed - this.#consumed;
    if (!(count >= 0 && count <= waiting))
      throw new RangeError(`the stream cannot have taken ${count} bytes`);
    const framesBefore = this.frames;
    if (this.#aside.length > 0) {
      this.#aside = count === this.#aside.length ? NOTHING : this.#aside.subarray(count);
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

  /** Drops the oldest frame that is still whole and says whether there was one. */
  dropOldest(): boolean {
    if (this.#first === this.#end) return false;
    if (this.#consumed < this.#boundary) this.#setAside();
    this.#boundary = this.#frameEnd(this.#boundary);
    this.#consumed = this.#boundary;
    this.#first++;
    return true;
  }

  /** Drops every whole frame pushed before `time` and returns how many. */
  dropPushedBefore(time: number): number {
    let dropped = 0;
    while (this.oldestPushedAt < time) {
      this.dropOldest();
      dropped++;
    }
    return dropped;
  }

  /**
   * Makes the queue ready for a new stream, which starts on a frame boundary.
   *
   * @returns frames lost with the old stream: 1 when it had taken a part of one, else 0.
   */
  startStream(): number {
    const lost = this.#hasPartial ? 1 : 0;
    this.#consumed = this.#boundary;
    this.#aside = NOTHING;
    return lost;
  }

  /** Counts the waiting of every whole frame from `now` on, as if each had just been pushed. */
  restartAges(now: number): void {
    this.#pushedAt.fill(now);
  }

  /** Gives back memory beyond the initial size when nothing waits. */
  shrink(): void {
    if (this.bytes > 0) return;
    if (this.#ring.length > this.#ringBytesInitial) this.#ring = bytesOf(this.#ringBytesInitial);
    if (this.#pushedAt.length > this.#timesInitial) this.#pushedAt = new Float64Array(this.#timesInitial);
  }

  get #hasPartial(): boolean {
    return this.#consumed < this.#boundary || this.#aside.length > 0;
  }

  /** The position after the frame that begins at `position`; its header may lie across the end of the ring. */
  #frameEnd(position: number): number {
    const mask = this.#ring.length - 1;
    const high = this.#ring[position & mask] as number;
    const low = this.#ring[(position + 1) & mask] as number;
    return position + HEADER_BYTES + ((high << 8) | low);
  }

  #setAside(): void {
    this.#aside = this.#copyOut(this.#consumed, this.#boundary);
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
    // Whole frames keep to bytesMax: only the rest of a frame partly written can ask for more than the ring may hold.
    if (this.#committed - this.#consumed + frameBytes > powerOfTwo(this.#bytesMax)) this.#setAside();
    const ringBytes = powerOfTwo(this.#committed - this.#consumed + frameBytes);
    if (ringBytes <= this.#ring.length) return;
    const waiting = this.#copyOut(this.#consumed, this.#committed);
    this.#ring = bytesOf(ringBytes);
    this.#copyIn(waiting, this.#consumed & (ringBytes - 1));
  }

  #copyIn(from: Uint8Array, at: number): void {
    const untilEnd = this.#ring.length - at;
    if (from.length <= untilEnd) {
      this.#ring.set(from, at);
    } else {
      this.#ring.set(from.subarray(0, untilEnd), at);
      this.#ring.set(from.subarray(untilEnd), 0);
    }
  }

  #copyOut(from: number, to: number): Uint8Array {
    const copy = bytesOf(to - from);
    const at = from & (this.#ring.length - 1);
    const untilEnd = Math.min(copy.length, this.#ring.length - at);
    copy.set(this.#ring.subarray(at, at + untilEnd));
    copy.set(this.#ring.subarray(0, copy.length - untilEnd), untilEnd);
    return copy;
  }
}

// ArrayBuffer first: memory whose address the kernel is given must not move (bun:ffi moves small typed arrays).
function bytesOf(length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new ArrayBuffer(length));
}

/** The least power of two that is not below `atLeast`, which is 2^31 at most. */
function powerOfTwo(atLeast: number): number {
  return atLeast <= 1 ? 1 : 2 ** (32 - Math.clz32(atLeast - 1));
}
