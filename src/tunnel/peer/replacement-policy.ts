/**
 * Whom a peer-mode server serves: one peer, the first. The same address may replace its own connection (a restarted
 * client whose dead old connection is not detected yet) once it is known to be a peer, but not over and over: then
 * two clients share the address and would push each other out without end. Pure: `now` is an argument.
 */

const REPLACEMENTS_MAX = 3;
const REPLACEMENTS_WITHIN_MS = 10_000;
const KEEP_MS = 10_000;
/** Half a pair that waits this long for its other half makes room for another address. */
const HALF_PAIR_MS = 10_000;

export type Verdict = "serve" | "fill" | "wait" | "replace" | "refuse other" | "refuse storm";

/** The peer being served, as far as the decision needs it. */
export interface CurrentPeer {
  address: string;
  since: number;
  complete: boolean;
  /** Whether it already has a stream where the new one would go. */
  occupied: boolean;
}

export class ReplacementPolicy {
  #replacedAt: number[] = [];
  #keepUntil = -Infinity;

  /**
   * What to do with a new connection.
   *
   * @param isPeer whether it is known to be a peer: it has authenticated itself, or has sent a frame.
   * @returns serve it as a new peer; fill the missing half of the pair; let it wait until it is known to be a peer;
   *   replace the current; or refuse it, because another address is served or because this address has replaced its
   *   connection too often (`first` marks the moment to warn).
   */
  decide(
    address: string,
    current: CurrentPeer | undefined,
    isPeer: boolean,
    now: number,
  ): { verdict: Verdict; first?: boolean } {
    if (current === undefined) return { verdict: "serve" };
    if (current.address !== address) {
      const stale = !current.complete && now - current.since >= HALF_PAIR_MS;
      return { verdict: stale ? "replace" : "refuse other" };
    }
    if (!current.occupied) return { verdict: "fill" };
    if (now < this.#keepUntil) return { verdict: "refuse storm" };
    if (!isPeer && current.complete) return { verdict: "wait" };
    this.#replacedAt = this.#replacedAt.filter((at) => now - at < REPLACEMENTS_WITHIN_MS);
    if (this.#replacedAt.length >= REPLACEMENTS_MAX) {
      this.#keepUntil = now + KEEP_MS;
      this.#replacedAt = [];
      return { verdict: "refuse storm", first: true };
    }
    this.#replacedAt.push(now);
    return { verdict: "replace" };
  }
}
