/**
 * The time slice: how long the process may handle received data in one tick of the event loop, TCP and UDP,
 * of all tunnels and channels together. The sockets share it in rotation, so that no session starves another:
 *
 * 1. A socket brings data. Its owner calls `begin`, handles one quantum, and goes on while `mustYield` is
 * false. 2. The end of the tick first calls the functions given to `atEndOfTick`, which write queued data to
 * TCP. 3. The rest of a chunk waits in `defer`. Each backlog then handles a quantum, in rotation, until the
 * slice is used
 *      up.
 * 4. A socket that has used its share is paused and waits in `awaitRead`. Last, a few paused sockets are read
 * again,
 *      in the order in which they came: Bun reads up to 512 KiB from each before it calls any code of ours.
 *
 * A socket that brings less than a quantum never waits.
 */

import type { Clock } from "./clock.ts";

/**
 * The slice of one tick, in milliseconds: while several sockets are served, and while one is alone. With half
 * a millisecond, one alone would lose 5 % of a flood's rate. A quiet session's round trip takes about two
 * ticks.
 */
const SHARED_MS = 0.5;
const ALONE_MS = 1;
/**
 * At most this many paused sockets are read again at the end of one tick, and as many new ones beside them;
 * fewer when they brought much the last time. Bun takes some 200 us to read 512 KiB.
 */
const READS_PER_TICK = 4;
const BYTES_PER_READ = 128 * 1024;

/** The rest of a chunk when its owner has to yield. */
export interface Backlog {
  /**
   * Handles one quantum. @returns whether more can be handled now: the backlog then goes to the end of the
   * queue.
   */
  handleQuantum(): boolean;
}

/** A paused socket. */
export interface PausedSocket {
  /** How many bytes it brought when it was last read. */
  readonly lastBytes: number;
  /**
   * Whether there is memory for its data. When there is room again, {@link TimeSlice.begin} must be called.
   */
  readonly hasRoom: boolean;
  /** Reads it again: it may bring one chunk, or one quantum of datagrams, in the next tick. */
  readAgain(): void;
}

const slices = new WeakMap<Clock, TimeSlice>();

export class TimeSlice {
  /** Grows by 1 with each tick in which data came: for callers that count what they handle in one tick. */
  tick = 0;
  readonly #clock: Clock;
  readonly #ends = new Set<() => void>();
  readonly #backlogs = new Set<Backlog>();
  readonly #paused = new Set<PausedSocket>();
  readonly #new = new Set<PausedSocket>();
  #beganAt: number | undefined;
  /** Whether several sockets are served or wait in this tick, so that each gets one quantum. */
  #contended = false;
  #newInTick = 0;

  private constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The slice of all that runs by this clock: in production, of the process. */
  static of(clock: Clock): TimeSlice {
    const slice = slices.get(clock) ?? new TimeSlice(clock);
    slices.set(clock, slice);
    return slice;
  }

  /** Call it when data has come: begins the tick's slice, unless it has begun. */
  begin(now?: number): void {
    if (this.#beganAt !== undefined) return;
    this.#beganAt = now ?? this.#clock.now();
    this.#clock.endOfTick(this.#endTick);
  }

  /** Whether a socket that has had its quantum must let the others go on. */
  get mustYield(): boolean {
    return this.#contended || this.#usedUp;
  }

  /**
   * Calls `run` once at the end of the tick, before any backlog. A second call with the same function changes
   * nothing.
   */
  atEndOfTick(run: () => void): void {
    this.#ends.add(run);
    this.begin();
  }

  /** Queues the rest of a chunk. */
  defer(backlog: Backlog): void {
    this.#backlogs.add(backlog);
    this.begin();
  }

  /** Queues a socket that has been paused. */
  awaitRead(socket: PausedSocket): void {
    this.#paused.add(socket);
    this.begin();
  }

  /**
   * Whether a new socket may be read at once. If not, the caller pauses it; it is queued before those read
   * before.
   */
  admit(socket: PausedSocket): boolean {
    this.begin();
    const waiting = this.#backlogs.size + this.#paused.size + this.#new.size;
    if (waiting === 0 && this.#newInTick++ < READS_PER_TICK && socket.hasRoom) return true;
    this.#new.add(socket);
    return false;
  }

  /** Removes a member that is gone from every queue. */
  forget(member: Backlog & PausedSocket): void {
    this.#backlogs.delete(member);
    this.forgetSocket(member);
  }

  /** Removes a socket from the queues. */
  forgetSocket(socket: PausedSocket): void {
    this.#paused.delete(socket);
    this.#new.delete(socket);
  }

  get #usedUp(): boolean {
    if (this.#beganAt === undefined) return false;
    return this.#clock.now() - this.#beganAt >= (this.#contended ? SHARED_MS : ALONE_MS);
  }

  readonly #endTick = (): void => {
    let reads = 1; // when a function throws, the rest follows in the next tick
    try {
      this.#runEnds();
      this.#handleBacklogs();
      reads = this.#readAgain(this.#new) + this.#readAgain(this.#paused);
    } finally {
      this.#beganAt = undefined;
      this.#newInTick = 0;
      this.tick++;
      const served = this.#backlogs.size + reads;
      this.#contended = served + this.#paused.size + this.#new.size > 1;
      if (served + this.#ends.size > 0) this.begin();
    }
  };

  #runEnds(): void {
    for (const run of this.#ends) {
      this.#ends.delete(run);
      run();
    }
  }

  /** Handles at least one quantum, even if the rest of the tick has used up the slice. */
  #handleBacklogs(): void {
    // A set is walked in the order of insertion; members added meanwhile come last.
    for (const backlog of this.#backlogs) {
      this.#backlogs.delete(backlog);
      if (backlog.handleQuantum()) this.#backlogs.add(backlog);
      if (this.#usedUp) return;
    }
  }

  /** Sockets without memory for their data keep their place. @returns how many were read. */
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
