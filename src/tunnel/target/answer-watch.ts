/** Detects a target address that does not answer: datagrams are sent to it, and none is received from it. */

import type { Clock, Timer } from "../../net/clock.ts";
import type { Counters } from "../../observe/counters.ts";

/** Without an answer for this long, while datagrams are sent, an address counts as silent. */
const SILENT_MS = 5000;
const CHECK_INTERVAL_MS = 1000;

export interface AnswerWatchOptions {
  readonly clock: Clock;
  /** The tunnel's counters: it sends to no other target. */
  readonly counters: Counters;
  /** Datagrams were received since the last check. */
  readonly onAnswer: () => void;
  /**
   * The address is silent. Called once, and again only after {@link AnswerWatch.restart} or an answer.
   *
   * @param answered whether it has ever answered.
   */
  readonly onSilent: (answered: boolean) => void;
}

export class AnswerWatch {
  readonly #options: AnswerWatchOptions;
  #sent = 0;
  #received = 0;
  #answered = false;
  #silentSince: number | undefined;
  #timer: Timer | undefined;

  constructor(options: AnswerWatchOptions) {
    this.#options = options;
    this.#schedule();
  }

  /** Another address is in use. */
  restart(): void {
    this.#answered = false;
    this.#silentSince = undefined;
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #schedule(): void {
    this.#timer = this.#options.clock.after(CHECK_INTERVAL_MS, () => {
      this.#schedule(); // first: an event of the check may stop the watch
      this.#check();
    });
  }

  #check(): void {
    const { clock, counters, onAnswer, onSilent } = this.#options;
    const { inbound, outbound } = counters;
    const received = outbound.received - outbound.dropped["wrong source"] - outbound.dropped.loop;
    const hasSent = inbound.sent > this.#sent;
    const hasReceived = received > this.#received;
    this.#sent = inbound.sent;
    this.#received = received;
    if (hasReceived) {
      this.#answered = true;
      this.#silentSince = undefined;
      return onAnswer();
    }
    if (!hasSent) return;
    const now = clock.now();
    this.#silentSince ??= now;
    if (now - this.#silentSince < SILENT_MS) return;
    this.#silentSince = Infinity;
    onSilent(this.#answered);
  }
}
