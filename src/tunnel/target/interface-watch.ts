/**
 * Notices when a network interface is removed and made again (a virtual one, a VLAN, Wi-Fi), and when the system
 * chooses another. The kernel's settings for the old one are then void: joined groups, the interface for sending to
 * groups, the zones of link-local addresses.
 */

import type { Clock, Timer } from "../../net/clock.ts";
import type { NetworkInterface } from "../../net/datagram-port.ts";
import { networkFailure } from "../../net/network.ts";
import type { EventReporter } from "../../observe/event-reporter.ts";

/** The interval of the checks. A check costs some 0.1 ms. */
export const LOOK_MS = 2000;

export interface InterfaceWatchOptions {
  readonly clock: Clock;
  readonly events: EventReporter;
  /** The interface now; undefined while it cannot be used. */
  readonly find: () => NetworkInterface | undefined;
  /** Makes the kernel's settings anew. When it throws, the new interface cannot be used yet, and it is called again. */
  readonly renew: () => void;
}

export class InterfaceWatch {
  readonly #options: InterfaceWatchOptions;
  #current: NetworkInterface | undefined;
  #lost = false;
  #timer: Timer | undefined;

  constructor(options: InterfaceWatchOptions) {
    this.#options = options;
    this.#orLater(() => {
      this.#current = options.find();
    });
    this.#schedule();
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #schedule(): void {
    this.#timer = this.#options.clock.after(LOOK_MS, () => {
      this.#schedule(); // first: an event of the check may end the tunnel
      this.#orLater(() => this.#look());
    });
  }

  /** The next check tries again what the system refuses at present. */
  #orLater(act: () => void): void {
    try {
      act();
    } catch (error) {
      networkFailure(error);
    }
  }

  #look(): void {
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
