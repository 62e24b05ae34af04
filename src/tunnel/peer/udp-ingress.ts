/** The UDP side of a link in peer mode: which datagrams may enter the tunnel. */

import type { Link } from "../../link/link.ts";
import type { DatagramReceiver } from "../../net/datagram-port.ts";
import { type Endpoint, isMulticast, unmapped } from "../../net/endpoint.ts";
import type { Counters } from "../../observe/counters.ts";
import type { EventReporter } from "../../observe/event-reporter.ts";
import { AddressFilter } from "../access/address-filter.ts";
import { PeerEnd, type PeerEndOptions } from "./peer-end.ts";

/** This many refusals without a single datagram from there make a target suspicious. */
const SUSPICIOUS_REFUSALS = 10;

export interface UdpIngressOptions extends PeerEndOptions {
  /** Called with each datagram that arrives, for -vv. */
  trace?: ((source: Endpoint, bytes: number) => void) | undefined;
}

export class UdpIngress implements DatagramReceiver {
  readonly #options: UdpIngressOptions;
  readonly #link: Link;
  readonly #counters: Counters;
  readonly #events: EventReporter;
  readonly #trace: UdpIngressOptions["trace"];
  /** Who may send; undefined when everyone may. */
  readonly #sources: AddressFilter | undefined;
  readonly #end: PeerEnd;
  /** Refusals of this socket's own target; in RTP mode the tunnel has two. */
  #refusals = 0;
  readonly #broadcast: boolean;
  #heard = false;
  #stopped = false;

  /** @throws NetError when an address cannot be bound, a group not joined, or an interface does not exist. */
  constructor(options: UdpIngressOptions) {
    const { network, link, target, settings, counters, trace } = options;
    this.#options = options;
    this.#link = link;
    this.#counters = counters;
    this.#events = options.events;
    this.#trace = trace;
    const networks = network.broadcastNetworks(target.address);
    this.#broadcast = networks.length > 0;
    const everyone = settings.anySource || isMulticast(target.address);
    // A broadcast address never sends. The hosts that it reaches may.
    this.#sources = everyone ? undefined : new AddressFilter([...settings.from, ...networks]);
    this.#sources?.allowOnly(target.addresses);
    this.#end = new PeerEnd(options, this.#broadcast, this);
  }

  /** See `PeerEnd.reopen`. */
  reopen(): void {
    this.#end.reopen();
  }

  /** Follows the target in both directions: it has other addresses, or another one is in use. */
  retarget(): void {
    if (this.#stopped) return;
    this.#sources?.allowOnly(this.#options.target.addresses);
    this.#end.retarget();
  }

  /** Where datagrams are sent. */
  get target(): Endpoint {
    return this.#end.target;
  }

  /** The bound addresses of the UDP sockets. */
  get local(): readonly Endpoint[] {
    return this.#end.local;
  }

  onDatagram(payload: Uint8Array, port: number, address: string): void {
    if (this.#stopped) return this.#counters.outbound.refuse(payload, "closing");
    this.#trace?.({ address, port }, payload.length);
    if (this.#end.isOurs(port, address)) return this.#refuseEcho(payload, port, address);
    if (this.#sources?.allows(address) === false) return this.#refuseSource(payload, port, address);
    this.#heard = true;
    this.#end.onAnswer();
    this.#link.onDatagram(payload);
  }

  onError(code: string): void {
    if (code !== "ECONNREFUSED") {
      this.#counters.socketErrors++;
      this.#options.sendWatch.onRefused(code, 0);
      return;
    }
    this.#counters.refusals++;
    this.#refusals++;
    if (this.#refusals === SUSPICIOUS_REFUSALS && !this.#heard) {
      this.#events.report({ type: "target refused", target: this.target, refusals: this.#refusals });
    }
  }

  /** Relays nothing more; what arrives is counted as lost. */
  stop(): void {
    this.#stopped = true;
    this.#end.stop();
  }

  /** Datagrams dropped by the kernel at all sockets; undefined when the system does not report them. */
  kernelDrops(): number | undefined {
    return this.#end.kernelDrops();
  }

  close(): void {
    this.#end.close();
  }

  #refuseEcho(payload: Uint8Array, port: number, address: string): void {
    // The kernel delivers broadcasts to their sender, too.
    const expected = this.#options.settings.loop || this.#broadcast;
    if (!expected && this.#events.isDue("loop detected"))
      this.#events.report({ type: "loop detected", source: { address, port } });
    this.#counters.outbound.refuse(payload, "loop");
  }

  #refuseSource(payload: Uint8Array, port: number, address: string): void {
    this.#counters.outbound.refuse(payload, "wrong source");
    if (!this.#events.isDue("wrong source")) return;
    const { target, from } = this.#options.settings;
    const source = { address: unmapped(address), port };
    this.#events.report({ type: "wrong source", source, expected: [target.host, ...from] });
  }
}
