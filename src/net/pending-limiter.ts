/**
 * Strangers who have not proved anything yet: only so many at once, and so many of one origin. When there is
 * no room, the oldest of the origin that has most of them goes: a proof takes one round trip, so who has
 * waited longest is the least likely to give one.
 */

import { familyOf, parseAddress, unmapped } from "./endpoint.ts";

/** How many there may be, and how many of one origin. */
export interface PendingLimits {
  readonly max: number;
  readonly perPrefix: number;
}

export class PendingLimiter<Member> {
  readonly #limits: PendingLimits;
  readonly #evict: (member: Member) => void;
  /** The oldest first. */
  readonly #origins = new Map<Member, string>();
  /** No origin without members; the oldest of each first. */
  readonly #byOrigin = new Map<string, Set<Member>>();

  /**
   * @param evict ends a member, which leaves by that.
   */
  constructor(limits: PendingLimits, evict: (member: Member) => void) {
    this.#limits = limits;
    this.#evict = evict;
  }

  get size(): number {
    return this.#origins.size;
  }

  /** All of them now: a copy, so that they may leave meanwhile. */
  get members(): Member[] {
    return [...this.#origins.keys()];
  }

  /** Makes room for a member, if need be, and lets it in. @param address its peer's. */
  add(member: Member, address: string): void {
    const origin = originOf(address);
    const siblings = this.#byOrigin.get(origin);
    if (siblings !== undefined && siblings.size >= this.#limits.perPrefix) this.#evictOldest(siblings);
    else if (this.size >= this.#limits.max) this.#evictOldest(this.#largest());
    this.#origins.set(member, origin);
    const now = this.#byOrigin.get(origin);
    if (now === undefined) this.#byOrigin.set(origin, new Set([member]));
    else now.add(member);
  }

  /** It has begun to prove itself only now: the newest, so that it is not the next to go. */
  renew(member: Member): void {
    const origin = this.#origins.get(member);
    const siblings = origin === undefined ? undefined : this.#byOrigin.get(origin);
    if (origin === undefined || siblings === undefined) return;
    this.#origins.delete(member);
    this.#origins.set(member, origin);
    siblings.delete(member);
    siblings.add(member);
  }

  /** It is one of them no longer. */
  remove(member: Member): void {
    const origin = this.#origins.get(member);
    if (origin === undefined) return;
    this.#origins.delete(member);
    const siblings = this.#byOrigin.get(origin);
    siblings?.delete(member);
    if (siblings?.size === 0) this.#byOrigin.delete(origin);
  }

  #evictOldest(members: Iterable<Member>): void {
    for (const oldest of members) return this.#evict(oldest);
  }

  #largest(): Set<Member> {
    let largest = new Set<Member>();
    for (const members of this.#byOrigin.values()) if (members.size > largest.size) largest = members;
    return largest;
  }
}

/** IPv6 gives a single host 64 bits to choose from (RFC 4291, 2.5.4), so these are left out. */
function originOf(address: string): string {
  const plain = unmapped(address);
  if (familyOf(plain) === 4) return plain;
  return parseAddress(plain).toByteArray().slice(0, 8).join(".");
}
