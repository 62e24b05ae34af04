/**
 * The UDP socket of a session at the server: sends to one address of the target, and takes its answers.
 *
 * It is not connected: the kernel would silently drop answers from any other address or port than the target's, and
 * TFTP servers answer from a port of their own for each transfer (RFC 1350, 4). Sending costs some 0.3 us more per
 * system call. ICMP refusals are still reported, because the socket has one target.
 */

import type { Link } from "../../link/link.ts";
import type { DatagramPort, DatagramReceiver, DatagramSender } from "../../net/datagram-port.ts";
import { type Endpoint, familyOf, unmapped } from "../../net/endpoint.ts";
import type { Network } from "../../net/network.ts";
import type { Counters } from "../../observe/counters.ts";
import type { EventReporter } from "../../observe/event-reporter.ts";
import type { Settings } from "../../options/settings.ts";
import type { AddressFilter } from "../access/address-filter.ts";
import type { FirstDatagrams } from "../target/first-datagrams.ts";
import type { SendWatch } from "../target/send-watch.ts";
import { isRefusal, reportingRefusals } from "../target/target.ts";

export interface SessionSocketOptions {
  readonly network: Network;
  readonly settings: Pick<Settings, "anyPort">;
  readonly counters: Counters;
  readonly events: EventReporter;
  readonly sendWatch: SendWatch;
  readonly link: Link;
  readonly target: Endpoint;
  /** Whether the target is a broadcast address. */
  readonly broadcast: boolean;
  /** The local address. */
  readonly bind: string;
  /** The addresses answers may come from. */
  readonly answering: AddressFilter;
  /** Called with each datagram that arrives, for -vv. */
  readonly trace: ((source: Endpoint, bytes: number) => void) | undefined;
  /** Keeps the first datagrams, when they could be sent to another address. */
  readonly first: FirstDatagrams | undefined;
  /** Called with each answer. */
  readonly onAnswer: () => void;
  /** Called when the target's own port refuses, or cannot be reached; missing when there is no other address anyway. */
  readonly onRefused: (() => void) | undefined;
}

export class SessionSocket implements DatagramReceiver {
  readonly #options: SessionSocketOptions;
  readonly #port: DatagramPort;
  #sender: DatagramSender;
  /** The target's port that datagrams are sent to. */
  #toPort: number;
  #closed = false;

  /** @throws NetError when it cannot be bound. */
  constructor(options: SessionSocketOptions) {
    const { network, bind, target, broadcast } = options;
    this.#options = options;
    const at = { address: bind, port: 0 };
    this.#port = network.openDatagramPort({ bind: at, oneTarget: true, broadcast }, this);
    this.#toPort = target.port;
    this.#sender = this.#sendTo(target.port);
  }

  onDatagram(payload: Uint8Array, port: number, address: string): void {
    const { answering, broadcast, link, settings, trace, onAnswer } = this.#options;
    trace?.({ address, port }, payload.length);
    if (!answering.allows(address)) return this.#refuse(payload, "wrong source", port, address);
    if (port !== this.#toPort) {
      if (!settings.anyPort) return this.#refuse(payload, "wrong port", port, address);
      if (!broadcast) this.#follow(port);
    }
    onAnswer();
    link.onDatagram(payload);
  }

  onError(code: string): void {
    const { counters, sendWatch, network, target, onRefused } = this.#options;
    if (code === "ECONNREFUSED") counters.refusals++;
    else counters.socketErrors++;
    sendWatch.onRefused(code, 0);
    if (!isRefusal(code)) return;
    if (this.#toPort === target.port) return onRefused?.();
    // At the end of the turn: a batch may be half sent, and needs its sender.
    network.clock.endOfTick(() => this.#follow(target.port));
  }

  /** Gives the link its sender again. */
  resume(): void {
    this.#sender = this.#sendTo(this.#toPort);
  }

  /** Sends the datagrams that another address has refused. See `FirstDatagrams.sendAgain`. */
  sendAgain(first: FirstDatagrams, timesMax: number): void {
    first.sendAgain((report) => this.#port.sender(this.#options.target, report), timesMax);
  }

  kernelDrops(): number | undefined {
    return this.#port.kernelDrops();
  }

  close(): void {
    this.#closed = true;
    this.#port.close();
  }

  /** Sends to another port of the target from now on; not yet, while datagrams wait for room in the socket. */
  #follow(port: number): void {
    if (!this.#closed && this.#sender.held === 0) this.#sender = this.#sendTo(port);
  }

  #sendTo(port: number): DatagramSender {
    const { link, target, first, onRefused } = this.#options;
    this.#toPort = port;
    const decides = onRefused && port === target.port; // a refusal by a transfer's port does not concern the address
    return link.sendTo((observer) => {
      const report = decides ? reportingRefusals(observer, onRefused) : observer;
      const plain = this.#port.sender({ ...target, port }, report);
      return first?.through(plain) ?? plain;
    }, familyOf(target.address));
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
