/**
 * The sessions there are, and who makes room when there is no more. Pure: `now` is an argument.
 *
 * A session that has been idle for long may be ended for a pending; one that is in use never is.
 */

/** Idle for less than this, a session is in use. */
const IN_USE_MS = 60_000;

// Made once: a flood of datagrams asks a full table for each of them.
const ROOM = { room: true };
const NO_ROOM = { room: false };

/** Anything that can be idle. */
export interface Idler {
  /** When a datagram last passed, either way. */
  readonly activeAt: number;
}

export class ConnectionTable<Session extends Idler> {
  readonly #sessions = new Set<Session>();
  readonly #max: number;
  /** Before this moment no session can have been idle long enough: no need to look. */
  #noneIdleBefore = -Infinity;

  /** @param max sessions that may be at once. */
  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#sessions.size;
  }

  [Symbol.iterator](): IterableIterator<Session> {
    return this.#sessions.values();
  }

  /**
   * Makes room for one more session.
   *
   * @returns whether there is room, and which session has to be ended for it, if any.
   */
  makeRoom(now: number): { room: boolean; evict?: Session } {
    if (this.#sessions.size < this.#max) return ROOM;
    if (now < this.#noneIdleBefore) return NO_ROOM;
    let idlest: Session | undefined;
    for (const session of this.#sessions) {
      if (idlest === undefined || session.activeAt < idlest.activeAt) idlest = session;
    }
    if (idlest === undefined) return NO_ROOM;
    if (now - idlest.activeAt <= IN_USE_MS) {
      this.#noneIdleBefore = idlest.activeAt + IN_USE_MS;
      return NO_ROOM;
    }
    return { room: true, evict: idlest };
  }

  add(session: Session): void {
    this.#sessions.add(session);
  }

  /** Says whether it was there. */
  delete(session: Session): boolean {
    return this.#sessions.delete(session);
  }
}
