/**
 * Notices when a network interface is removed and made again (a virtual one, a VLAN, Wi-Fi), and when the system
 * chooses another. The kernel's settings for the old one are then void: joined groups, the interface for sending to
 * groups, the zones of link-local addresses.
 */

import type { Clock, Timer } from "../../net/clock.ts";
import type { NetworkInterface } from "../../net/datagram-port.ts";
import { type Endpoint, familyOf, isMulticast } from "../../net/endpoint.ts";
import { type Network, networkFailure } from "../../net/network.ts";
import type { EventSource } from "../../observe/events.ts";
import type { Settings } from "../../options/settings.ts";

/** The interval of the checks. A check costs some 0.1 ms. */
export const LOOK_MS = 2000;

export interface InterfaceWatchOptions {
  readonly clock: Clock;
  readonly events: EventSource;
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

/** The name or the address of the interface to the target, if it is given. */
export function interfaceOf(settings: Pick<Settings, "interface">, target: Endpoint): string | undefined {
  return settings.interface ?? /%(.+)$/.exec(target.address)?.[1];
}

/** How to find the interface of a target; undefined where the kernel finds it for each datagram. */
export function interfaceFinder(
  network: Network,
  settings: Pick<Settings, "interface">,
  target: Endpoint,
): (() => NetworkInterface | undefined) | undefined {
  const multicast = isMulticast(target.address);
  if (!multicast && !target.address.includes("%")) return undefined;
  const given = interfaceOf(settings, target);
  const find = () => {
    const at = given ?? network.sourceAddressTo(target);
    const found = at === undefined ? undefined : network.findInterface(at);
    // IPv4 multicast names an interface by its address.
    return multicast && familyOf(target.address) === 4 && found?.address4 === undefined ? undefined : found;
  };
  return find;
}
