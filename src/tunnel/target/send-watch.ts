/** Detects that the kernel refuses datagrams to a target, and that it accepts them again. */

import type { Clock } from "../../net/clock.ts";
import type { Endpoint } from "../../net/endpoint.ts";
import type { EventReporter } from "../../observe/event-reporter.ts";

/** Sending has recovered when the kernel accepts datagrams and has refused none for this long. */
const RECOVERY_MS = 10_000;
/** An older refusal no longer counts. */
const REFUSAL_VALID_MS = 60_000;
/**
 * An interface with a full queue refuses single datagrams. Only if all fail for this long, it is a failure.
 */
const OVERLOAD_MS = 1000;
const OVERLOAD_CODES = new Set(["ENOBUFS", "ENOMEM"]);
/** Errors that do not count: they concern one datagram, or the program at the target. */
const OTHER_CODES = new Set(["EMSGSIZE", "ECONNREFUSED"]);

/** Watches one target. Links that send to the same target share it. */
export class SendWatch {
  /** Whether {@link onSent} must be called. */
  failing = false;
  readonly #clock: Clock;
  readonly #events: EventReporter;
  readonly #target: () => Endpoint;
  #code = "";
  #lost = 0;
  /** Whether the last datagram was refused. */
  #refusing = false;
  #refusingSince = 0;
  #refusedAt = 0;
  #reported = false;

  constructor(clock: Clock, events: EventReporter, target: () => Endpoint) {
    this.#clock = clock;
    this.#events = events;
    this.#target = target;
  }

  /** The errno name while sending fails; else undefined. */
  get failure(): string | undefined {
    const recent = this.#clock.now() - this.#refusedAt < REFUSAL_VALID_MS;
    return this.#refusing && recent && this.#lasting ? this.#code : undefined;
  }

  /**
   * The kernel refused datagrams.
   *
   * @param code the errno name.
   * @param datagrams how many were lost, 0 or more.
   */
  onRefused(code: string, datagrams: number): void {
    if (OTHER_CODES.has(code)) return;
    const now = this.#clock.now();
    if (!this.failing) {
      this.failing = true;
      this.#reported = false;
      this.#lost = 0;
    }
    if (!this.#refusing) this.#refusingSince = now;
    this.#refusing = true;
    this.#refusedAt = now;
    this.#code = code;
    this.#lost += datagrams;
    if (!this.#lasting || this.#events.suppressRepeat("sending failed")) return;
    this.#reported = true;
    this.#events.report({ type: "sending failed", target: this.#target(), code, lost: this.#lost });
  }

  /** The kernel accepted datagrams. Call it while {@link failing}. */
  onSent(): void {
    this.#refusing = false;
    if (this.#clock.now() - this.#refusedAt < RECOVERY_MS) return;
    this.failing = false;
    if (!this.#reported) return;
    this.#events.report({ type: "sending recovered", target: this.#target(), lost: this.#lost });
  }

  get #lasting(): boolean {
    return !OVERLOAD_CODES.has(this.#code) || this.#refusedAt - this.#refusingSince >= OVERLOAD_MS;
  }
}
