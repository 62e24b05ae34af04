/**
 * Decides which peer a server in peer mode serves. The first one is served. Another connection replaces it in
 * these cases:
 *
 *   - It is from the same address and known to be a peer's. A restarted client connects this way while its
 *     old connection still looks open. Two clients behind one address would replace each other without end
 *     (flapping), so these replacements have a limit.
 *   - It is from the same address, and the pair of the current peer is incomplete.
 *   - It is from another address, and the pair has been incomplete for INCOMPLETE_PAIR_MS.
 *
 * `pending-replacements.ts` adds a case: the kernel of the current peer does not answer. Pure: `now` is an
 * argument.
 */

/** At most this many replacements in this time. */
const REPLACEMENTS_MAX = 3;
const REPLACEMENTS_WITHIN_MS = 10_000;
/** Above that limit the current connection is kept for this long. */
const KEEP_MS = 10_000;
/** A pair that is incomplete for this long can be replaced from another address. */
const INCOMPLETE_PAIR_MS = 10_000;

export type Verdict =
  /** No peer is being served. */
  | "accept"
  /** This is the missing stream of the current peer's pair. */
  | "add"
  /** Keep the connection pending until it is known to be a peer's. */
  | "hold"
  | "replace"
  /** The current peer has another address. */
  | "reject other"
  /** The address has replaced its connection too often. */
  | "reject flapping";

/** What the decision depends on. */
export interface CurrentPeer {
  address: string;
  acceptedAt: number;
  /** Whether it has a stream for each link. */
  complete: boolean;
  /** Whether it has a stream on the new connection's port. */
  hasStream: boolean;
}

export class ReplacementPolicy {
  #replacedAt: number[] = [];
  #keepUntil = -Infinity;

  /**
   * Decides about a new connection.
   *
   * @param isPeer whether the connection is known to be a peer's: it has authenticated, or has sent a frame.
   * @returns the verdict; `warn` at the first of several rejections for flapping.
   */
  decide(
    address: string,
    current: CurrentPeer | undefined,
    isPeer: boolean,
    now: number,
  ): { verdict: Verdict; warn?: boolean } {
    if (current === undefined) return { verdict: "accept" };
    if (current.address !== address) {
      const stale = !current.complete && now - current.acceptedAt >= INCOMPLETE_PAIR_MS;
      return { verdict: stale ? "replace" : "reject other" };
    }
    if (!current.hasStream) return { verdict: "add" };
    if (now < this.#keepUntil) return { verdict: "reject flapping" };
    if (!isPeer && current.complete) return { verdict: "hold" };
    this.#replacedAt = this.#replacedAt.filter((at) => now - at < REPLACEMENTS_WITHIN_MS);
    if (this.#replacedAt.length >= REPLACEMENTS_MAX) {
      this.#keepUntil = now + KEEP_MS;
      this.#replacedAt = [];
      return { verdict: "reject flapping", warn: true };
    }
    this.#replacedAt.push(now);
    return { verdict: "replace" };
  }
}
