/**
 * Caps unauthenticated connections, in total and per address prefix. If the new
 * connection's prefix is full, it evicts the oldest one of that prefix. If only the total is full, it evicts
 * the oldest one of the largest prefix. Authentication takes one round trip, so the oldest connection is the
 * least likely to complete it.
 */

import { familyOf, parseAddress, unmapped } from "./endpoint.ts";

/** The most connections in total. */
const PENDING_MAX = 256;
/**
 * Pending connections may use this share of the file descriptors: Bun 1.4.5 spins when `accept` finds none.
 */
const DESCRIPTORS_SHARE = 1 / 4;

/** How many connections may be pending in total when this many files and sockets may be open. */
export function pendingMax(descriptorLimit: number): number {
  return Math.min(PENDING_MAX, Math.ceil(descriptorLimit * DESCRIPTORS_SHARE));
}

export interface PendingLimits {
  /** The most connections in total. */
  readonly max: number;
  /** The most connections of one address prefix. */
  readonly perPrefix: number;
}

export class PendingLimiter<Member> {
  readonly #limits: PendingLimits;
  readonly #evict: (member: Member) => void;
  /** The prefix of each member; the oldest member first. */
  readonly #prefixes = new Map<Member, string>();
  /** The members of each prefix that has any; the oldest member first. */
  readonly #byPrefix = new Map<string, Set<Member>>();

  /** @param evict closes a member. It must call {@link remove} for it. */
  constructor(limits: PendingLimits, evict: (member: Member) => void) {
    this.#limits = limits;
    this.#evict = evict;
  }

  get size(): number {
    return this.#prefixes.size;
  }

  /** A copy of the current members, which may be removed while the caller iterates. */
  get members(): Member[] {
    return [...this.#prefixes.keys()];
  }

  /** Adds a member, and evicts another one first if a limit is reached. @param address the peer's address. */
  add(member: Member, address: string): void {
    const prefix = prefixOf(address);
    const siblings = this.#byPrefix.get(prefix);
    if (siblings !== undefined && siblings.size >= this.#limits.perPrefix) this.#evictOldest(siblings);
    else if (this.size >= this.#limits.max) this.#evictOldest(this.#largest());
    this.#prefixes.set(member, prefix);
    const remaining = this.#byPrefix.get(prefix);
    if (remaining === undefined) this.#byPrefix.set(prefix, new Set([member]));
    else remaining.add(member);
  }

  /** Makes a member the newest one: it was delayed and can begin to authenticate only now. */
  renew(member: Member): void {
    const prefix = this.#prefixes.get(member);
    const siblings = prefix === undefined ? undefined : this.#byPrefix.get(prefix);
    if (prefix === undefined || siblings === undefined) return;
    this.#prefixes.delete(member);
    this.#prefixes.set(member, prefix);
    siblings.delete(member);
    siblings.add(member);
  }

  /** Removes a member, if it is one. */
  remove(member: Member): void {
    const prefix = this.#prefixes.get(member);
    if (prefix === undefined) return;
    this.#prefixes.delete(member);
    const siblings = this.#byPrefix.get(prefix);
    siblings?.delete(member);
    if (siblings?.size === 0) this.#byPrefix.delete(prefix);
  }

  #evictOldest(members: Iterable<Member>): void {
    for (const oldest of members) return this.#evict(oldest);
  }

  #largest(): Set<Member> {
    let largest = new Set<Member>();
    for (const members of this.#byPrefix.values()) if (members.size > largest.size) largest = members;
    return largest;
  }
}

/**
 * The IPv4 address, or the first 64 bits of the IPv6 address: one host can use all the others (RFC 4291,
 * 2.5.4).
 */
function prefixOf(address: string): string {
  const plain = unmapped(address);
  if (familyOf(plain) === 4) return plain;
  return parseAddress(plain).toByteArray().slice(0, 8).join(".");
}
