/**
 * The time slice: how long the process may handle received data in one tick of the event loop. All TCP and
 * UDP sockets of all tunnels and channels share it in rotation, so that no session starves another:
 *
 * 1. A socket brings data. For a quantum or more its owner calls `begin`, handles one quantum, and continues
 *    unless `mustYield`.
 * 2. At the end of the tick the functions given to `atEndOfTick` run first. They write queued data to TCP.
 * 3. The rest of a chunk waits in `defer`. Each backlog handles a quantum, in rotation, until the slice is
 *    used up.
 * 4. A socket that has used its share is paused and waits in `awaitRead`. Last, a few paused sockets are read
 *    again, in order of arrival. Bun reads up to 512 KiB from each before it calls any handler.
 *
 * A socket that brings less than a quantum never waits. Its data needs no end of the tick: at 1,000
 * datagrams/s a `setImmediate` for each takes 2 of the 36 us of CPU time that one end takes for a datagram.
 */

import type { Clock } from "./clock.ts";

/** The slice while several sockets are active. A quiet session's round trip takes about two ticks. */
const SHARED_MS = 0.5;
/** The slice while one socket is alone. With half a millisecond it would lose 5 % of a flood's rate. */
const ALONE_MS = 1;
/**
 * At the end of one tick at most this many paused sockets are read again, and at most as many new ones. A
 * socket that brought much data the last time counts as several. Bun takes some 200 us to read 512 KiB.
 */
const READS_PER_TICK = 4;
/** A socket that brings this much data counts as one read, one that brings twice as much as two reads. */
const BYTES_PER_READ = 128 * 1024;

/** The rest of a chunk whose owner had to yield. */
export interface Backlog {
  /**
   * Handles one quantum. @returns whether more can be handled now. The backlog is then queued again, last.
   */
  handleQuantum(): boolean;
}

/** A paused socket. */
export interface PausedSocket {
  /** How many bytes it brought when it was last read. */
  readonly lastBytes: number;
  /** Whether there is memory for its data. Call {@link TimeSlice.onRoom} when this becomes true. */
  readonly hasRoom: boolean;
  /** Resumes reading: the socket may bring one chunk, or one quantum of datagrams, in the next tick. */
  readAgain(): void;
}

const slices = new WeakMap<Clock, TimeSlice>();

export class TimeSlice {
  /** How many ticks with a slice have ended. Callers use it to count per tick. */
  tick = 0;
  readonly #clock: Clock;
  readonly #endCallbacks = new Set<() => void>();
  readonly #backlogs = new Set<Backlog>();
  readonly #paused = new Set<PausedSocket>();
  readonly #new = new Set<PausedSocket>();
  #beganAt: number | undefined;
  /** Whether several sockets are active or queued in this tick. Each then gets one quantum. */
  #contended = false;
  #newInTick = 0;

  private constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The slice of all code that uses this clock. In production that is the whole process. */
  static of(clock: Clock): TimeSlice {
    const slice = slices.get(clock) ?? new TimeSlice(clock);
    slices.set(clock, slice);
    return slice;
  }

  /** Begins the slice of this tick if it has not begun. Call it when a socket brings a quantum of data. */
  begin(now?: number): void {
    if (this.#beganAt !== undefined) return;
    this.#beganAt = now ?? this.#clock.now();
    this.#clock.endOfTick(this.#endTick);
  }

  /** Whether a socket that has handled its quantum must leave the rest of its data for later. */
  get mustYield(): boolean {
    return this.#contended || this.#usedUp;
  }

  /** The start of this tick's slice, or the current time before it. Saves a flood many clock reads. */
  now(): number {
    return this.#beganAt ?? this.#clock.now();
  }

  /** Calls `run` once at the end of the tick, before any backlog, even if it was added several times. */
  atEndOfTick(run: () => void): void {
    this.#endCallbacks.add(run);
    this.begin();
  }

  /** Memory has become free: a paused socket may have room now. */
  onRoom(): void {
    if (this.#paused.size + this.#new.size > 0) this.begin();
  }

  /** Queues the rest of a chunk. */
  defer(backlog: Backlog): void {
    this.#backlogs.add(backlog);
    this.begin();
  }

  /** Queues a paused socket, to be read again in a later tick. */
  awaitRead(socket: PausedSocket): void {
    this.#paused.add(socket);
    this.begin();
  }

  /**
   * Whether a new socket may be read at once. If not, the caller pauses it, and it is queued before all
   * sockets that have been read before.
   */
  admit(socket: PausedSocket): boolean {
    this.begin();
    const waiting = this.#backlogs.size + this.#paused.size + this.#new.size;
    if (waiting === 0 && this.#newInTick++ < READS_PER_TICK && socket.hasRoom) return true;
    this.#new.add(socket);
    return false;
  }

  /** Removes a closed member from all queues. */
  forget(member: Backlog & PausedSocket): void {
    this.#backlogs.delete(member);
    this.forgetSocket(member);
  }

  /** Removes a socket from the queues of sockets. */
  forgetSocket(socket: PausedSocket): void {
    this.#paused.delete(socket);
    this.#new.delete(socket);
  }

  get #usedUp(): boolean {
    if (this.#beganAt === undefined) return false;
    return this.#clock.now() - this.#beganAt >= (this.#contended ? SHARED_MS : ALONE_MS);
  }

  readonly #endTick = (): void => {
    let reads = 1; // if a function throws, the rest runs in the next tick
    try {
      this.#runEndCallbacks();
      this.#handleBacklogs();
      reads = this.#readAgain(this.#new) + this.#readAgain(this.#paused);
    } finally {
      this.#beganAt = undefined;
      this.#newInTick = 0;
      this.tick++;
      const active = this.#backlogs.size + reads;
      this.#contended = active + this.#paused.size + this.#new.size > 1;
      if (active + this.#endCallbacks.size > 0) this.begin();
    }
  };

  #runEndCallbacks(): void {
    for (const run of this.#endCallbacks) {
      this.#endCallbacks.delete(run);
      run();
    }
  }

  /** Handles at least one quantum, even if the rest of the tick has used up the slice. */
  #handleBacklogs(): void {
    // A set iterates in order of insertion, and includes members that are added during the iteration.
    for (const backlog of this.#backlogs) {
      this.#backlogs.delete(backlog);
      if (backlog.handleQuantum()) this.#backlogs.add(backlog);
      if (this.#usedUp) return;
    }
  }

  /** Sockets without memory for their data stay queued. @returns the number of sockets read. */
  #readAgain(sockets: Set<PausedSocket>): number {
    let reads = 0;
    let cost = 0;
    for (const socket of sockets) {
      if (cost >= READS_PER_TICK) break;
      if (!socket.hasRoom) continue;
      sockets.delete(socket);
      cost += Math.max(1, socket.lastBytes / BYTES_PER_READ);
      socket.readAgain();
      reads++;
    }
    return reads;
  }
}
