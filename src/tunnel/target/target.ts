/**
 * The addresses of the target, and the choice of the one that the tunnel sends to. It changes at
 *
 *   a refusal   by ICMP, or without a route: the next address is used at once. When every address has
 *               refused, the next round begins after ROUND_PAUSE_MS.
 *   no answer   (answer-watch.ts) from an address that has never answered: the next one that has not
 *               refused is used. When no address answers, the first is used again and kept, because
 *               traffic may be one-way.
 *   a look-up   (name-lookup.ts), periodically and at a reconnect, a refusal or a missing answer: an
 *               address that the name no longer has is not used any more.
 */

import type { SendObserver } from "../../net/datagram-port.ts";
import { anyAddress, type Endpoint, familyOf, sameFamily, unmapped } from "../../net/endpoint.ts";
import type { Counters } from "../../observe/counters.ts";
import type { EventReporter } from "../../observe/event-reporter.ts";
import type { TargetSwitchReason } from "../../observe/events.ts";
import { AnswerWatch } from "./answer-watch.ts";
import { isName, type LookupOptions, lookUp, NameLookup } from "./name-lookup.ts";
import { refuseWithoutZone } from "./target-interface.ts";

/** The pause after every address has refused. */
const ROUND_PAUSE_MS = 1000;

/** The kernel's errors when an address cannot be reached, or no program listens there. */
const REFUSALS = new Set([
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENETDOWN",
  "EADDRNOTAVAIL",
  "EAFNOSUPPORT",
  "EINVAL",
  "ENODEV",
]);

/** Whether an error concerns the address that was sent to, so that another address of the target may work. */
export function isRefusal(code: string): boolean {
  return REFUSALS.has(code);
}

/** An observer that forwards to `observer`, and calls `onRefused` at a refusal. */
export function reportingRefusals(observer: SendObserver, onRefused: () => void): SendObserver {
  return {
    onSent: (datagrams, bytes, systemCalls) => observer.onSent(datagrams, bytes, systemCalls),
    onWritable: () => observer.onWritable(),
    onSendDropped(reason, datagrams, code) {
      observer.onSendDropped(reason, datagrams, code);
      if (code !== undefined && isRefusal(code)) onRefused();
    },
  };
}

export interface TargetOptions extends LookupOptions {
  readonly port: number;
  readonly counters: Counters;
  readonly events: EventReporter;
}

export class Target {
  readonly #options: TargetOptions;
  readonly #listeners: (() => void)[] = [];
  /** Best first. */
  #addresses: readonly string[];
  #index = 0;
  readonly #lookup: NameLookup | undefined;
  readonly #answerWatch: AnswerWatch | undefined;
  /** The addresses that have refused since the last answer, or since all had refused. */
  readonly #refusing = new Set<string>();
  readonly #silent = new Set<string>();
  /** Refusals before this time are ignored, because every address has refused. */
  #roundAt = -Infinity;
  #notifying = false;
  #stopped = false;

  private constructor(options: TargetOptions, addresses: readonly string[]) {
    const { clock } = options.network;
    const { host, counters } = options;
    this.#options = options;
    this.#addresses = addresses;
    if (isName(host)) {
      const onFailed = (code: string) => this.#onLookupFailed(code);
      this.#lookup = new NameLookup(options, (found) => this.#setAddresses(found), onFailed);
    }
    if (!this.mayChange) return;
    this.#answerWatch = new AnswerWatch({
      clock,
      counters,
      onAnswer: () => this.#onAnswer(),
      onSilent: (answered) => this.#onSilent(answered),
    });
  }

  /**
   * Looks the target up for the first time.
   *
   * @throws NetError when it has no address that can be used.
   * @throws OptionsError see {@link refuseWithoutZone}.
   */
  static async find(options: TargetOptions): Promise<Target> {
    const addresses = await lookUp(options);
    refuseWithoutZone(options.network, addresses);
    return new Target(options, addresses);
  }

  /** The address in use. */
  get address(): string {
    return this.#addresses[this.#index] as string;
  }

  get addresses(): readonly string[] {
    return this.#addresses;
  }

  get port(): number {
    return this.#options.port;
  }

  /** The address in use and the port. */
  get endpoint(): Endpoint {
    return { address: this.address, port: this.port };
  }

  /** Whether the address in use can change. */
  get mayChange(): boolean {
    return this.#lookup !== undefined || this.#addresses.length > 1;
  }

  /** The local address for sending to one of the target's addresses. */
  localAddressFor(address: string): string {
    const local = this.#options.from?.find((each) => sameFamily(each, address));
    return local ?? anyAddress(familyOf(unmapped(address)));
  }

  /** @param listener called when the address in use or the list of addresses has changed. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Uses the next address, if there is one, because this one has refused. */
  refused(address: string, reason: TargetSwitchReason = "refused"): void {
    if (address !== this.address || this.#stopped) return;
    this.refresh();
    const now = this.#options.network.clock.now();
    if (now < this.#roundAt) return;
    this.#refusing.add(address);
    if (this.#refusing.size >= this.#addresses.length) {
      this.#refusing.clear();
      this.#roundAt = now + ROUND_PAUSE_MS;
    }
    this.#switchTo((this.#index + 1) % this.#addresses.length, reason);
  }

  /** See {@link NameLookup.request}. */
  refresh(): void {
    this.#lookup?.request();
  }

  stop(): void {
    this.#stopped = true;
    this.#lookup?.stop();
    this.#answerWatch?.stop();
  }

  /** The order may change with each look-up: the address in use stays in use while the name has it. */
  #setAddresses(found: readonly string[]): void {
    const { events, host } = this.#options;
    const { address, addresses: before } = this;
    const same = found.length === before.length && found.every((each) => before.includes(each));
    if (same) return;
    const index = found.indexOf(address);
    this.#addresses = found;
    this.#index = Math.max(0, index);
    this.#refusing.clear();
    this.#silent.clear();
    this.#roundAt = -Infinity;
    if (index < 0) this.#answerWatch?.restart();
    events.report({
      type: "target address changed",
      name: host,
      addresses: found,
      before,
      using: this.address,
    });
    this.#notify();
  }

  #onLookupFailed(code: string): void {
    const { events, host } = this.#options;
    events.report({ type: "name lookup failed", name: host, code, kept: this.#addresses });
  }

  #switchTo(index: number, reason: TargetSwitchReason): void {
    if (index === this.#index) return;
    const { events, port } = this.#options;
    const from = { address: this.address, port };
    this.#index = index;
    this.#answerWatch?.restart();
    events.report({ type: "target switched", from, to: { address: this.address, port }, reason });
    this.#notify();
  }

  /** Calls the listeners at the end of the tick, because one of them may have caused the change. */
  #notify(): void {
    if (this.#notifying) return;
    this.#notifying = true;
    this.#options.network.clock.endOfTick(() => {
      this.#notifying = false;
      if (!this.#stopped) for (const listener of this.#listeners) listener();
    });
  }

  #onAnswer(): void {
    this.#refusing.delete(this.address);
    this.#silent.clear();
  }

  #onSilent(answered: boolean): void {
    this.refresh();
    if (answered) return;
    this.#silent.add(this.address);
    const candidates = this.#addresses.filter((address) => !this.#refusing.has(address));
    const next = candidates.find((address) => !this.#silent.has(address)) ?? candidates[0];
    if (next !== undefined) this.#switchTo(this.#addresses.indexOf(next), "no answer");
  }
}
