/**
 * The UDP socket of a session at the server. It sends to one address of the target and receives the answers.
 *
 * The socket is not connected. On a connected one the kernel silently drops answers from any other address or
 * port, but a TFTP server answers each transfer from another port (RFC 1350, section 4). Without the
 * connection, sending costs about 0.3 us more per system call. ICMP refusals are still reported, because the
 * socket has one target.
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
  /** The addresses that answers may come from. */
  readonly answering: AddressFilter;
  /** Called for each received datagram, for debug output. */
  readonly trace: ((source: Endpoint, bytes: number) => void) | undefined;
  /** Keeps the first datagrams, to send them again to the next address; undefined when there is only one. */
  readonly firstDatagrams: FirstDatagrams | undefined;
  /** Called with each answer. */
  readonly onAnswer: () => void;
  /** Called when the target's port refuses or is unreachable; undefined if there is no other address. */
  readonly onRefused: (() => void) | undefined;
}

export class SessionSocket implements DatagramReceiver {
  readonly #options: SessionSocketOptions;
  readonly #port: DatagramPort;
  #sender: DatagramSender;
  /** The current destination port. It differs from the target's after an answer from another port. */
  #toPort: number;
  #closed = false;

  /** @throws NetError when the socket cannot be bound. */
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
      if (!broadcast) this.#switchPort(port);
    }
    onAnswer();
    link.onDatagram(payload);
  }

  onError(code: string): void {
    const { counters, sendWatch, network, target, onRefused } = this.#options;
    counters.countSocketError(code);
    sendWatch.onRefused(code, 0);
    if (!isRefusal(code)) return;
    if (this.#toPort === target.port) return onRefused?.();
    // At the end of the tick, because a half-sent batch still needs its sender.
    network.clock.endOfTick(() => this.#switchPort(target.port));
  }

  /** Gives the link its sender again, after `Link.removeSender`. */
  resume(): void {
    this.#sender = this.#sendTo(this.#toPort);
  }

  /** Sends datagrams that another address has refused. For the parameters see `FirstDatagrams.sendAgain`. */
  sendAgain(datagrams: FirstDatagrams, timesMax: number): void {
    datagrams.sendAgain((report) => this.#port.sender(this.#options.target, report), timesMax);
  }

  kernelDrops(): number | undefined {
    return this.#port.kernelDrops();
  }

  close(): void {
    this.#closed = true;
    this.#port.close();
  }

  /** Sends to another port of the target. Does nothing while datagrams wait for room in the socket. */
  #switchPort(port: number): void {
    if (!this.#closed && this.#sender.held === 0) this.#sender = this.#sendTo(port);
  }

  #sendTo(port: number): DatagramSender {
    const { link, target, firstDatagrams, onRefused } = this.#options;
    this.#toPort = port;
    // A refusal by another port does not concern the address.
    const watchRefusals = onRefused && port === target.port;
    return link.sendTo((observer) => {
      const sendObserver = watchRefusals ? reportingRefusals(observer, onRefused) : observer;
      const sender = this.#port.sender({ ...target, port }, sendObserver);
      return firstDatagrams?.through(sender) ?? sender;
    }, familyOf(target.address));
  }

  #refuse(payload: Uint8Array, reason: "wrong port" | "wrong source", port: number, address: string): void {
    const { counters, events, target } = this.#options;
    counters.outbound.dropReceived(payload, reason);
    if (events.suppressRepeat("unexpected answer")) return;
    events.report({
      type: "unexpected answer",
      reason,
      target,
      source: { address: unmapped(address), port },
    });
  }
}
