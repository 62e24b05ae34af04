/**
 * Knows the addresses of the target's name, and which of them is in use: the one to which the tunnel sends.
 *
 *   refused    by ICMP, or because there is no route: the next address is used at once; when all have refused, after a
 *              second
 *   silent     datagrams go out for SILENT_MS, and this address has never sent any: the next one that has not refused
 *              is used; when all were silent, the first is used again and kept, because traffic may go one way
 *   look-up    at reconnect, when refused or silent, and every LOOKUP_INTERVAL_MS: the tunnel leaves an address that
 *              the name no longer has
 */

import { isIP } from "node:net";
import type { Timer } from "../../net/clock.ts";
import type { SendObserver } from "../../net/datagram-port.ts";
import {
  anyAddress,
  type Endpoint,
  type Family,
  familyOf,
  sameFamily,
  unmapped,
  withoutZone,
} from "../../net/endpoint.ts";
import { NetError, type Network, networkFailure } from "../../net/network.ts";
import type { Counters } from "../../observe/counters.ts";
import type { EventSource, TargetSwitchReason } from "../../observe/events.ts";

/** How often a name is looked up without any other reason. */
export const LOOKUP_INTERVAL_MS = 60_000;
/** Look-ups are at least this far apart. */
export const LOOKUP_PAUSE_MS = 2000;
/** An address that has not answered for this long, while datagrams go out, is silent. */
export const SILENT_MS = 5000;
/** When all addresses have refused, the next round begins after this. */
const ROUND_PAUSE_MS = 1000;
const LOOK_MS = 1000;

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

/** Passes everything on to `report`, and calls `onRefused` at a refusal. */
export function reportingRefusals(report: SendObserver, onRefused: () => void): SendObserver {
  return {
    onSent: (datagrams, bytes, systemCalls) => report.onSent(datagrams, bytes, systemCalls),
    onWritable: () => report.onWritable(),
    onSendDropped(reason, datagrams, code) {
      report.onSendDropped(reason, datagrams, code);
      if (code !== undefined && isRefusal(code)) onRefused();
    },
  };
}

export interface TargetOptions {
  readonly network: Network;
  readonly events: EventSource;
  /** A name or a literal. */
  readonly host: string;
  readonly port: number;
  readonly family: Family | undefined;
  /** The local addresses to send from, when they are given. Target addresses of other families cannot be used then. */
  readonly from?: readonly string[] | undefined;
  readonly counters: Counters;
}

export class Target {
  readonly #options: TargetOptions;
  readonly #listeners: (() => void)[] = [];
  /** The addresses of the name, best first. */
  #addresses: readonly string[];
  #index = 0;
  #lookedUpAt: number;
  #lookingUp = false;
  /** The next look-up. */
  #lookup: Timer | undefined;
  #lookupIsSoon = false;
  /** The next check of the traffic. */
  #look: Timer | undefined;
  #sent = 0;
  #heard = 0;
  /** Whether the address in use has ever answered. */
  #answered = false;
  #silentSince: number | undefined;
  /** The addresses that have refused, since an answer came or all had refused. */
  readonly #refusing = new Set<string>();
  readonly #silent = new Set<string>();
  /** Refusals before this time are ignored: all addresses have refused. */
  #roundAt = -Infinity;
  #notifying = false;
  #stopped = false;

  private constructor(options: TargetOptions, addresses: readonly string[]) {
    this.#options = options;
    this.#addresses = addresses;
    this.#lookedUpAt = options.network.clock.now();
    if (this.#isName) this.#lookUpIn(LOOKUP_INTERVAL_MS);
    if (this.mayChange) this.#scheduleLook();
  }

  /** Looks the target up for the first time. @throws NetError when it has no address that can be used. */
  static async find(options: TargetOptions): Promise<Target> {
    return new Target(options, await lookUp(options));
  }

  /** The address in use. */
  get address(): string {
    return this.#addresses[this.#index] as string;
  }

  /** All addresses of the name. */
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

  /** Whether another address than this may come into use. */
  get mayChange(): boolean {
    return this.#isName || this.#addresses.length > 1;
  }

  /** The local address for sending to one of the target's addresses. */
  localAddressFor(address: string): string {
    const own = this.#options.from?.find((local) => sameFamily(local, address));
    return own ?? anyAddress(familyOf(unmapped(address)));
  }

  /** @param listener called when another address is in use, or the name has others. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** An address has refused: the next one is used, if there is one. @param address the one that has refused. */
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

  /** Looks the name up again, at once or LOOKUP_PAUSE_MS after the last look-up. */
  refresh(): void {
    if (!this.#isName || this.#lookingUp || this.#lookupIsSoon || this.#stopped) return;
    this.#lookupIsSoon = true;
    this.#lookUpIn(Math.max(0, this.#lookedUpAt + LOOKUP_PAUSE_MS - this.#options.network.clock.now()));
  }

  stop(): void {
    this.#stopped = true;
    this.#lookup?.cancel();
    this.#look?.cancel();
  }

  get #isName(): boolean {
    return !isIP(withoutZone(this.#options.host));
  }

  #lookUpIn(ms: number): void {
    this.#lookup?.cancel();
    this.#lookup = this.#options.network.clock.after(ms, () => void this.#lookUp());
  }

  async #lookUp(): Promise<void> {
    const { network, events, host } = this.#options;
    this.#lookupIsSoon = false;
    this.#lookingUp = true;
    let found: readonly string[] = this.#addresses;
    try {
      found = await lookUp(this.#options);
    } catch (error) {
      const { code } = networkFailure(error);
      const kept = this.#addresses;
      if (!this.#stopped) events.report({ type: "name lookup failed", name: host, code, kept });
    } finally {
      this.#lookingUp = false;
    }
    this.#lookedUpAt = network.clock.now();
    if (this.#stopped) return;
    this.#lookUpIn(LOOKUP_INTERVAL_MS);
    this.#learn(found);
  }

  /** The order may change from look-up to look-up: the address in use stays in use while the name has it. */
  #learn(found: readonly string[]): void {
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
    if (index < 0) this.#restartWatch();
    events.report({
      type: "target address changed",
      name: host,
      addresses: found,
      before,
      using: this.address,
    });
    this.#notify();
  }

  #switchTo(index: number, reason: TargetSwitchReason): void {
    if (index === this.#index) return;
    const { events, port } = this.#options;
    const from = { address: this.address, port };
    this.#index = index;
    this.#restartWatch();
    events.report({ type: "target switched", from, to: { address: this.address, port }, reason });
    this.#notify();
  }

  /** Calls the listeners at the end of the turn, because one of them may have caused the change. */
  #notify(): void {
    if (this.#notifying) return;
    this.#notifying = true;
    this.#options.network.clock.endOfTick(() => {
      this.#notifying = false;
      if (!this.#stopped) for (const listener of this.#listeners) listener();
    });
  }

  #restartWatch(): void {
    this.#answered = false;
    this.#silentSince = undefined;
  }

  #scheduleLook(): void {
    this.#look = this.#options.network.clock.after(LOOK_MS, () => {
      this.#lookAtTraffic();
      this.#scheduleLook();
    });
  }

  #lookAtTraffic(): void {
    const { inbound, outbound } = this.#options.counters;
    const { sent } = inbound;
    const heard = outbound.received - outbound.dropped["wrong source"] - outbound.dropped.loop;
    const sending = sent > this.#sent;
    const hearing = heard > this.#heard;
    this.#sent = sent;
    this.#heard = heard;
    if (hearing) {
      this.#answered = true;
      this.#silentSince = undefined;
      this.#refusing.delete(this.address);
      this.#silent.clear();
      return;
    }
    if (!sending) return;
    const now = this.#options.network.clock.now();
    this.#silentSince ??= now;
    if (now - this.#silentSince >= SILENT_MS) this.#onSilence();
  }

  #onSilence(): void {
    this.#silentSince = Infinity; // not again, until an answer comes or another address is used
    this.refresh();
    if (this.#answered) return;
    this.#silent.add(this.address);
    const willing = this.#addresses.filter((address) => !this.#refusing.has(address));
    const next = willing.find((address) => !this.#silent.has(address)) ?? willing[0];
    if (next !== undefined) this.#switchTo(this.#addresses.indexOf(next), "no answer");
  }
}

/** @throws NetError. */
async function lookUp({ network, host, family, from }: TargetOptions): Promise<readonly string[]> {
  const all = [...new Set(await network.resolve(host, family))];
  const reachable = all.filter((address) => from?.some((own) => sameFamily(own, address)) ?? true);
  if (reachable.length > 0) return reachable;
  throw new NetError(
    "EAFNOSUPPORT",
    `${host} (${all.join(", ")}) cannot be reached from ${from?.join(", ")}: give addresses of one family`,
  );
}
