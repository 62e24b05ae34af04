/**
 * Peer mode, as in UDPTunnel 1.1: one peer, one link, or two in RTP mode. The links and their UDP ports stay
 * for the tunnel's whole life. The connector (peer-client.ts or peer-server.ts) gives them streams, one after
 * the other.
 */

import { OptionsError } from "../../errors.ts";
import { Link } from "../../link/link.ts";
import { DrainingStreams } from "../../net/close-stream.ts";
import type { Endpoint } from "../../net/endpoint.ts";
import { errorCode } from "../../net/network.ts";
import { sum } from "../../observe/stats.ts";
import { authenticates } from "../../options/rules.ts";
import { limitsAccess, problemsAfterLookup } from "../../options/settings.ts";
import { ServerAcceptPolicy } from "../access/accept-policy.ts";
import { waitUntilFlushed } from "../closing.ts";
import { ServerList } from "../dial/server-list.ts";
import { listenAddressesOf, localAddressesOf } from "../local-bind.ts";
import { RunningTunnel } from "../running-tunnel.ts";
import { wrapNetError } from "../start-errors.ts";
import { InterfaceWatch } from "../target/interface-watch.ts";
import { SendWatch } from "../target/send-watch.ts";
import { Target } from "../target/target.ts";
import { interfaceFinder } from "../target/target-interface.ts";
import type { Connector, ConnectorContext } from "./connector.ts";
import { PeerClient } from "./peer-client.ts";
import { PeerServer } from "./peer-server.ts";
import { UdpIngress } from "./udp-ingress.ts";

export class PeerTunnel extends RunningTunnel implements ConnectorContext {
  readonly links: Link[] = [];
  readonly draining = new DrainingStreams(this.network.clock);
  readonly endsWithStream = this.settings.once;
  readonly authenticates = authenticates(this.settings);
  readonly sessions = 0;
  /** One for each link. */
  readonly #ingresses: UdpIngress[] = [];
  #target: Target | undefined;
  /** In RTP mode both links share it, because their targets are on one host. */
  readonly #sendWatch = new SendWatch(
    this.network.clock,
    this.events,
    () => this.#ingresses[0]?.sockets.target ?? (this.#target as Target).endpoint,
  );
  #interfaceWatch: InterfaceWatch | undefined;
  #connector: Connector | undefined;

  async open(): Promise<void> {
    const { family, listen, connect, allow, bind } = this.settings;
    const listening = listen && (await listenAddressesOf(this.network, listen.address, family));
    const bindAddresses = bind === undefined ? undefined : await localAddressesOf(this.network, bind, family);
    const target = await this.#findTarget(bindAddresses);
    this.#target = target;
    try {
      // Whether a name is a multicast group is known only after its look-up.
      const problems = problemsAfterLookup(this.settings, target.address);
      if (problems.length > 0) throw new OptionsError(problems);
      const links = this.settings.rtp ? 2 : 1;
      for (let index = 0; index < links; index++) this.#openLink(target, index, bindAddresses);
    } catch (error) {
      this.#closeSockets();
      if (error instanceof OptionsError) throw error;
      wrapNetError("ERR_UDP_BIND")(error);
    }
    target.onChange(() => {
      for (const ingress of this.#ingresses) ingress.retarget();
    });
    try {
      this.#connector =
        listening !== undefined
          ? new PeerServer(
              this,
              { addresses: listening, port: listen?.port ?? 0 },
              new ServerAcceptPolicy(this.counters, this.events, allow),
            )
          : new PeerClient(this, new ServerList(this.network, this.events, connect, family));
    } catch (error) {
      this.#closeSockets();
      wrapNetError("ERR_LISTEN")(error);
    }
    this.events.reportListening(this.tcp, this.udp, limitsAccess(this.settings));
    this.#watchInterface(target.endpoint);
  }

  get tcp(): readonly Endpoint[] {
    return this.#connector?.listening ?? [];
  }

  get udp(): readonly Endpoint[] {
    return this.#ingresses.flatMap(({ sockets }) => sockets.local);
  }

  protected kernelDrops(): number | undefined {
    return sum(...this.#ingresses.map(({ sockets }) => sockets.kernelDrops()));
  }

  protected sendFailure(): string | undefined {
    return this.#sendWatch.failure;
  }

  protected progress(): "connected" | "listening" | "connecting" {
    if (this.#connector?.group?.complete) return "connected";
    return this.settings.role === "server" ? "listening" : "connecting";
  }

  onConnected(): void {
    this.counters.connects++;
    this.#target?.refresh();
  }

  #watchInterface(target: Endpoint): void {
    const find = interfaceFinder(this.network, this.settings, target);
    if (find === undefined) return;
    const { clock } = this.network;
    const renew = () => this.#ingresses.forEach(({ sockets }) => void sockets.reopen());
    this.#interfaceWatch = new InterfaceWatch({ clock, events: this.events, find, renew });
  }

  async #findTarget(from: readonly string[] | undefined): Promise<Target> {
    const { network, events, counters } = this;
    const { family, target, interface: wanted } = this.settings;
    const options = { network, events, counters, ...target, family, from, interface: wanted };
    return await Target.find(options).catch((error) => {
      // ENODEV: the target has an address, but `interface` does not exist.
      return wrapNetError(errorCode(error) === "ENODEV" ? "ERR_UDP_BIND" : "ERR_RESOLVE")(error);
    });
  }

  #openLink(target: Target, portOffset: number, bindAddresses: readonly string[] | undefined): void {
    const link = new Link({
      use: "peer",
      clock: this.network.clock,
      counters: this.counters,
      settings: this.settings,
      onDemand: () => this.#connector?.onDemand(),
      trace: this.trace && ((stream, bytes) => this.trace?.("inbound", stream.remote, bytes)),
      sendWatch: this.#sendWatch,
    });
    if (this.settings.rtp) link.block("pair incomplete");
    this.links.push(link);
    this.#ingresses.push(
      new UdpIngress({
        network: this.network,
        link,
        counters: this.counters,
        events: this.events,
        settings: this.settings,
        sendWatch: this.#sendWatch,
        target,
        portOffset,
        bindAddresses,
        trace: this.trace && ((source, bytes) => this.trace?.("outbound", source, bytes)),
      }),
    );
  }

  /** Stops reading, writes queued frames, closes the streams gracefully, and closes the sockets. */
  protected async finish(deadline: number): Promise<void> {
    this.#interfaceWatch?.stop();
    for (const ingress of this.#ingresses) ingress.stop();
    for (const link of this.links) link.stop();
    this.#connector?.stop();
    const { clock } = this.network;
    const writing = () => this.#connector?.group?.complete === true && this.held.outbound > 0;
    await waitUntilFlushed(clock, writing, deadline);
    this.#connector?.group?.end("closing", Math.max(1, deadline - clock.now()));
    await this.draining.settled();
    for (const link of this.links) link.dropHeld("closing");
    this.#closeSockets();
  }

  #closeSockets(): void {
    this.#target?.stop();
    for (const { sockets } of this.#ingresses) sockets.close();
  }
}
