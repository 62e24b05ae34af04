/** The server's supply of streams: listens, and serves one peer at a time. */

import { type Endpoint, unmapped } from "../../net/endpoint.ts";
import type { StreamListener, StreamPort } from "../../net/stream-port.ts";
import type { ServerAcceptPolicy } from "../access/accept-policy.ts";
import { openAtEach, placeOf } from "../local-bind.ts";
import type { Connector, ConnectorContext } from "./connector.ts";
import { PendingReplacements } from "./pending-replacements.ts";
import { type CurrentPeer, ReplacementPolicy } from "./replacement-policy.ts";
import { StreamGroup } from "./stream-group.ts";

export class PeerServer implements Connector {
  readonly #context: ConnectorContext;
  readonly #acceptPolicy: ServerAcceptPolicy;
  readonly #listeners: StreamListener[] = [];
  readonly #replacementPolicy = new ReplacementPolicy();
  readonly #pending: PendingReplacements;
  #current: { group: StreamGroup; address: string; since: number } | undefined;
  #probing = false;
  #stopped = false;

  /**
   * @param at the addresses to listen on and the (first) port.
   * @throws NetError when a port cannot be bound.
   */
  constructor(
    context: ConnectorContext,
    at: { addresses: readonly (string | undefined)[]; port: number },
    acceptPolicy: ServerAcceptPolicy,
  ) {
    this.#context = context;
    this.#acceptPolicy = acceptPolicy;
    this.#pending = new PendingReplacements(context.network.clock, {
      silentMs: () => this.#current?.group.silentMs,
      onReplacement: (index, stream, sentFrame) =>
        sentFrame ? this.#admit(index, stream, true) : this.#replace(index, stream),
      onRefused: (stream) => {
        acceptPolicy.reject(stream, this.#stopped ? "closing" : "peer already connected");
        this.#probe();
      },
    });
    try {
      for (let index = 0; index < context.links.length; index++) {
        const onStream = (stream: StreamPort) => this.#offer(index, stream);
        const listen = (address: string | undefined, port: number) =>
          context.transport.listen(placeOf(address, port), onStream, acceptPolicy);
        const port = at.port && at.port + index;
        this.#listeners.push(...openAtEach(at.addresses, port, listen, context.events));
      }
    } catch (error) {
      this.stop();
      throw error;
    }
  }

  get listening(): readonly Endpoint[] {
    return this.#listeners.map((listener) => listener.local);
  }

  get group(): StreamGroup | undefined {
    return this.#current?.group;
  }

  onDemand(): void {}

  stop(): void {
    this.#stopped = true;
    for (const listener of this.#listeners) listener.close();
    this.#pending.clear();
  }

  /** A connection has come. */
  #offer(index: number, stream: StreamPort): void {
    if (this.#stopped) return this.#acceptPolicy.reject(stream, "closing");
    this.#admit(index, stream, this.#context.authenticates);
  }

  /** @param isPeer whether it is known to be a peer, not a probe. */
  #admit(index: number, stream: StreamPort, isPeer: boolean): void {
    const address = unmapped(stream.remote.address);
    const now = this.#context.network.clock.now();
    const { verdict, first } = this.#replacementPolicy.decide(address, this.#currentPeer(index), isPeer, now);
    if (first) this.#context.events.report({ type: "peer flapping", address });
    switch (verdict) {
      case "refuse other":
        return this.#acceptPolicy.reject(stream, "peer already connected");
      case "refuse storm":
        return this.#acceptPolicy.reject(stream, "replacement limit");
      case "wait":
        this.#pending.add(index, stream);
        return this.#probe();
      case "fill":
        return this.#add(index, stream);
      case "replace":
        this.#replace(index, stream);
        return;
      case "serve":
        this.#serve(index, stream);
    }
  }

  #replace(index: number, stream: StreamPort): void {
    const former = this.#current;
    this.#current = undefined; // so that no pending connection takes its place
    const same = former?.address === unmapped(stream.remote.address);
    former?.group.end(same ? "replaced" : "pair incomplete");
    this.#serve(index, stream);
  }

  /** Serves a new peer, with the other half of its pair if that is pending. */
  #serve(index: number, stream: StreamPort): void {
    const address = unmapped(stream.remote.address);
    const since = this.#context.network.clock.now();
    const group = this.#openGroup(stream);
    this.#current = { group, address, since };
    // The other half first: what this one has sent is then relayed, not dropped for want of a pair.
    for (let other = 0; other < this.#context.links.length; other++) {
      const half = other === index ? undefined : this.#pending.take(other);
      if (half !== undefined) group.add(other, half.stream);
    }
    group.add(index, stream);
    this.#onAdded();
    this.#probe();
  }

  #add(index: number, stream: StreamPort): void {
    this.#current?.group.add(index, stream);
    this.#onAdded();
  }

  #onAdded(): void {
    if (this.#context.endsWithStream && this.#current?.group.complete) this.stop();
  }

  /** Probes the served peer every second while a connection is pending to replace it. */
  #probe(): void {
    const often = this.#pending.size > 0;
    if (often || this.#probing) this.#current?.group.probeOften(often);
    this.#probing = often;
  }

  #currentPeer(index: number): CurrentPeer | undefined {
    if (this.#current === undefined) return undefined;
    const { group, address, since } = this.#current;
    return { address, since, complete: group.complete, occupied: group.has(index) };
  }

  #openGroup(first: StreamPort): StreamGroup {
    const { events, endsWithStream } = this.#context;
    const group: StreamGroup = new StreamGroup(this.#context, {
      onUp: ([stream = first]) => {
        this.#context.onConnected();
        events.report({ type: "connected", local: stream.local, remote: stream.remote });
      },
      onEnded: (reason, code) => {
        const served = this.#current?.group === group;
        if (served) this.#current = undefined;
        events.report({ type: "disconnected", remote: first.remote, reason, code });
        if (endsWithStream) this.#context.onOver();
        if (served) this.#serveNext();
      },
    });
    return group;
  }

  /** The served connection has ended: the newest pending connection is served. */
  #serveNext(): void {
    const next = this.#stopped ? undefined : this.#pending.take();
    if (next !== undefined) this.#serve(next.index, next.stream);
  }
}
