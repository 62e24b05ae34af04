/**
 * The UDP socket of a session at the server: sends to the target, and takes its answers.
 *
 * It is not connected. The kernel would drop an answer from any other place than the target without a word, and TFTP
 * servers, for one, answer from a port of their own for each transfer (RFC 1350, 4). Sending costs some 0.3 us more for each
 * system call; ICMP refusals are still seen, as the socket has one target.
 */

import type { DatagramPort, DatagramReceiver, DatagramSender } from "../net/datagram-port.ts";
import { type Endpoint, familyOf, unmapped } from "../net/endpoint.ts";
import type { Network } from "../net/network.ts";
import type { Counters } from "../observe/counters.ts";
import type { EventSource } from "../observe/events.ts";
import type { Settings } from "../options/settings.ts";
import type { AddressFilter } from "./address-filter.ts";
import type { Link } from "./link.ts";
import type { SendWatch } from "./send-watch.ts";

export interface SessionSocketOptions {
  readonly network: Network;
  readonly settings: Pick<Settings, "bind" | "anyPort">;
  readonly counters: Counters;
  readonly events: EventSource;
  readonly sendWatch: SendWatch;
  readonly link: Link;
  readonly target: Endpoint;
  /** Whether the target is a broadcast address. */
  readonly broadcast: boolean;
  /** The addresses answers may come from. */
  readonly answering: AddressFilter;
  /** Called with each datagram that arrives, for -vv. */
  readonly trace: ((source: Endpoint, bytes: number) => void) | undefined;
}

export class SessionSocket implements DatagramReceiver {
  readonly #options: SessionSocketOptions;
  readonly #port: DatagramPort;
  #sender: DatagramSender;
  /** The target's port that datagrams are sent to. */
  #toPort: number;

  /** @throws NetError when it cannot be bound. */
  constructor(options: SessionSocketOptions) {
    const { network, settings, target, broadcast } = options;
    this.#options = options;
    const any = familyOf(target.address) === 6 ? "::" : "0.0.0.0";
    const bind = { address: settings.bind ?? any, port: 0 };
    this.#port = network.openDatagramPort({ bind, oneTarget: true, broadcast }, this);
    this.#toPort = target.port;
    this.#sender = this.#sendTo(target.port);
  }

  onDatagram(payload: Uint8Array, port: number, address: string): void {
    const { answering, broadcast, link, settings, trace } = this.#options;
    trace?.({ address, port }, payload.length);
    if (!answering.allows(address)) return this.#refuse(payload, "wrong source", port, address);
    if (port !== this.#toPort) {
      if (!settings.anyPort) return this.#refuse(payload, "wrong port", port, address);
      if (!broadcast) this.#follow(port);
    }
    link.onDatagram(payload);
  }

  onError(code: string): void {
    const { counters, sendWatch, network, target } = this.#options;
    if (code === "ECONNREFUSED") counters.refusals++;
    else counters.socketErrors++;
    sendWatch.onRefused(code, 0);
    if (code !== "ECONNREFUSED" || this.#toPort === target.port) return;
    // A batch may be half sent: its sender stays until it is over.
    network.clock.endOfTurn(() => this.#follow(target.port));
  }

  kernelDrops(): number | undefined {
    return this.#port.kernelDrops();
  }

  close(): void {
    this.#port.close();
  }

  /** Sends to another port of the target from now on; not yet, while datagrams wait for room in the socket. */
  #follow(port: number): void {
    if (this.#sender.held === 0) this.#sender = this.#sendTo(port);
  }

  #sendTo(port: number): DatagramSender {
    const { link, target } = this.#options;
    this.#toPort = port;
    const sender = this.#port.sender({ ...target, port }, link.sendReport);
    link.sendTo(sender, familyOf(target.address));
    return sender;
  }

  #refuse(payload: Uint8Array, reason: "wrong port" | "wrong source", port: number, address: string): void {
    const { counters, events, target } = this.#options;
    counters.outbound.refuse(payload, reason);
    if (!events.isDue("unexpected answer")) return;
    events.report({
      type: "unexpected answer",
      reason,
      target,
      source: { address: unmapped(address), port },
    });
  }
}
