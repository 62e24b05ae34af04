/**
 * Detects that a network interface was removed and created again (a virtual one, a VLAN, Wi-Fi), or that the
 * system chooses another one. The kernel's settings for the old interface are then no longer valid: joined
 * groups, the interface for multicast, the zones of link-local addresses.
 */

import type { Clock, Timer } from "../../net/clock.ts";
import type { NetworkInterface } from "../../net/datagram-port.ts";
import { networkFailure } from "../../net/network.ts";
import type { EventReporter } from "../../observe/event-reporter.ts";

/** A check takes about 0.1 ms. */
export const CHECK_INTERVAL_MS = 2000;

export interface InterfaceWatchOptions {
  readonly clock: Clock;
  readonly events: EventReporter;
  /** Finds the interface; undefined while it cannot be used. */
  readonly find: () => NetworkInterface | undefined;
  /** Applies the kernel's settings again. It throws if the interface is not ready; the next check retries. */
  readonly renew: () => void;
}

export class InterfaceWatch {
  readonly #options: InterfaceWatchOptions;
  #current: NetworkInterface | undefined;
  #lost = false;
  #timer: Timer | undefined;

  constructor(options: InterfaceWatchOptions) {
    this.#options = options;
    this.#tolerating(() => {
      this.#current = options.find();
    });
    this.#schedule();
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #schedule(): void {
    this.#timer = this.#options.clock.after(CHECK_INTERVAL_MS, () => {
      this.#schedule(); // first: an event of the check may close the tunnel
      this.#tolerating(() => this.#check());
    });
  }

  /** Ignores a failure of the network: the next check retries. */
  #tolerating(act: () => void): void {
    try {
      act();
    } catch (error) {
      networkFailure(error);
    }
  }

  #check(): void {
    const { events, find, renew } = this.#options;
    const found = find();
    if (found === undefined) {
      if (this.#current !== undefined && !this.#lost)
        events.report({ type: "interface lost", interface: this.#current.name });
      this.#lost = true;
      return;
    }
    if (!this.#lost && found.id === this.#current?.id && found.address4 === this.#current.address4) return;
    renew();
    this.#lost = false;
    this.#current = found;
    events.report({ type: "interface restored", interface: found.name });
  }
}
