/**
 * The current connections of a listener, or the current sessions of a tunnel. The table counts them, in total
 * and per address, and finds room for a new one. It also sweeps for connections that are idle for too long.
 * When the table is full, the connection that has been idle longest may be evicted. A connection in use is
 * never evicted.
 */

import type { Clock, Timer } from "../../net/clock.ts";

/** A connection that was active within this time is in use. */
const IN_USE_MS = 60_000;
/** The interval of the sweep. */
const SWEEP_MS = 1000;
/** A connection that has been idle for this long releases the memory by which its queue has grown. */
const SHRINK_IDLE_MS = 5000;
/** Descriptors kept for other use: connections that are closed or rejected, and the metrics server. */
const DESCRIPTORS_RESERVED = 256;

/** An entry of the table. */
export interface Connection {
  /** When a datagram last passed, in either direction. */
  readonly activeAt: number;
  /** A connection that is idle for longer than this is ended; Infinity for never. */
  readonly idleLimitMs: number;
  /** Releases memory that an idle connection does not need. */
  shrink(): void;
}

/** `limit` is set if there is no room. `evict` is a connection that must be ended to make room. */
interface Room<Entry> {
  readonly limit?: "session limit" | "address limit";
  readonly evict?: Entry;
}

// Constants, because a flood of datagrams asks a full table for each datagram.
const ROOM = {};
const TABLE_FULL = { limit: "session limit" } as const;
const ADDRESS_FULL = { limit: "address limit" } as const;

export class ConnectionTable<Entry extends Connection> {
  /** Each connection with the address under which it is counted, if any. */
  readonly #addresses = new Map<Entry, string | undefined>();
  readonly #perAddress = new Map<string, number>();
  readonly #max: number;
  readonly #perAddressMax: number;
  /** Before this time no connection can have been idle long enough, so the search is skipped. */
  #noneIdleBefore = -Infinity;

  constructor(max: number, perAddressMax = Infinity) {
    this.#max = max;
    // A higher limit, or the same, has no effect of its own: when it is reached, the table is full.
    this.#perAddressMax = perAddressMax < max ? perAddressMax : Infinity;
  }

  get size(): number {
    return this.#addresses.size;
  }

  /** How many connections of this address there are. */
  sizeOf(address: string): number {
    return this.#perAddress.get(address) ?? 0;
  }

  [Symbol.iterator](): IterableIterator<Entry> {
    return this.#addresses.keys();
  }

  /** Finds room for one more connection. @param address counts against the limit per address, if given. */
  findRoom(now: number, address?: string): Room<Entry> {
    if (address !== undefined && this.sizeOf(address) >= this.#perAddressMax) return ADDRESS_FULL;
    if (this.size < this.#max) return ROOM;
    if (now < this.#noneIdleBefore) return TABLE_FULL;
    let idlest: Entry | undefined;
    for (const entry of this) {
      if (idlest === undefined || entry.activeAt < idlest.activeAt) idlest = entry;
    }
    if (idlest === undefined) return TABLE_FULL;
    if (now - idlest.activeAt <= IN_USE_MS) {
      this.#noneIdleBefore = idlest.activeAt + IN_USE_MS;
      return TABLE_FULL;
    }
    return { evict: idlest };
  }

  add(entry: Entry, address?: string): void {
    this.#addresses.set(entry, address);
    if (address !== undefined) this.#perAddress.set(address, this.sizeOf(address) + 1);
  }

  /** Returns whether the connection was in the table. */
  delete(entry: Entry): boolean {
    const address = this.#addresses.get(entry);
    if (!this.#addresses.delete(entry)) return false;
    if (address === undefined) return true;
    const others = this.sizeOf(address) - 1;
    if (others === 0) this.#perAddress.delete(address);
    else this.#perAddress.set(address, others);
    return true;
  }

  /**
   * Checks all connections every second.
   *
   * @param end ends a connection that has been idle for longer than its limit, and removes it from the table.
   * @returns stops the sweep.
   */
  startSweep(clock: Clock, end: (entry: Entry) => void): () => void {
    let timer: Timer;
    const sweep = () => {
      timer = clock.after(SWEEP_MS, sweep); // first, because `end` may stop the sweep
      const now = clock.now();
      for (const entry of [...this]) {
        const idleMs = now - entry.activeAt;
        if (idleMs > entry.idleLimitMs) end(entry);
        else if (idleMs > SHRINK_IDLE_MS) entry.shrink();
      }
    };
    timer = clock.after(SWEEP_MS, sweep);
    return () => timer.cancel();
  }
}

/**
 * How many connections the limit of open files allows. Bun 1.4.5 spins when `accept` fails with EMFILE, so
 * the limit must never be reached.
 *
 * @param each how many descriptors one connection needs.
 */
export function connectionsMax(descriptorLimit: number, each: number): number {
  const reserved = Math.min(DESCRIPTORS_RESERVED, descriptorLimit / 2);
  return Math.max(1, Math.floor((descriptorLimit - reserved) / each));
}
