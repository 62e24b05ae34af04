/** The server's connector: listens, and serves one peer at a time. */

import { type Endpoint, unmapped } from "../../net/endpoint.ts";
import type { StreamPort } from "../../net/stream-port.ts";
import type { StreamListener } from "../../net/stream-transport.ts";
import type { ServerAcceptPolicy } from "../access/accept-policy.ts";
import { listenAtEach } from "../local-bind.ts";
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
  #current: { group: StreamGroup; address: string; acceptedAt: number } | undefined;
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
      peerSilentMs: () => this.#current?.group.silentMs,
      onReplacement: (index, stream, sentFrame) =>
        sentFrame ? this.#decide(index, stream, true) : this.#replace(index, stream),
      onRejected: (stream) => {
        acceptPolicy.reject(stream, this.#stopped ? "closing" : "peer already connected");
        this.#updateProbing();
      },
    });
    try {
      for (const index of context.links.keys()) {
        const onStream = (stream: StreamPort) => this.#onConnection(index, stream);
        const port = at.port && at.port + index;
        const { transport, events } = context;
        const listening = { transport, events, acceptPolicy };
        this.#listeners.push(...listenAtEach(at.addresses, port, onStream, listening));
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

  #onConnection(index: number, stream: StreamPort): void {
    if (this.#stopped) return this.#acceptPolicy.reject(stream, "closing");
    this.#decide(index, stream, this.#context.authenticates);
  }

  /** @param isPeer see {@link ReplacementPolicy.decide}. */
  #decide(index: number, stream: StreamPort, isPeer: boolean): void {
    const address = unmapped(stream.remote.address);
    const now = this.#context.network.clock.now();
    const { verdict, warn } = this.#replacementPolicy.decide(address, this.#currentPeer(index), isPeer, now);
    if (warn) this.#context.events.report({ type: "peer flapping", address });
    switch (verdict) {
      case "reject other":
        return this.#acceptPolicy.reject(stream, "peer already connected");
      case "reject flapping":
        return this.#acceptPolicy.reject(stream, "replacement limit");
      case "hold":
        this.#pending.add(index, stream);
        return this.#updateProbing();
      case "add":
        return this.#add(index, stream);
      case "replace":
        return this.#replace(index, stream);
      case "accept":
        return this.#accept(index, stream);
    }
  }

  #replace(index: number, stream: StreamPort): void {
    const former = this.#current;
    this.#current = undefined; // else the end of the former group would accept a pending connection
    const same = former?.address === unmapped(stream.remote.address);
    former?.group.end(same ? "replaced" : "pair incomplete");
    this.#accept(index, stream);
  }

  /** Serves a new peer. In RTP mode its other connection may already be pending. */
  #accept(index: number, stream: StreamPort): void {
    const address = unmapped(stream.remote.address);
    const acceptedAt = this.#context.network.clock.now();
    const group = this.#openGroup(stream);
    this.#current = { group, address, acceptedAt };
    // The other stream first: the pair is then complete when this one delivers its first frames.
    for (const other of this.#context.links.keys()) {
      const pending = other === index ? undefined : this.#pending.take(other);
      if (pending !== undefined) group.add(other, pending.stream);
    }
    group.add(index, stream);
    this.#onAdded();
    this.#updateProbing();
  }

  #add(index: number, stream: StreamPort): void {
    this.#current?.group.add(index, stream);
    this.#onAdded();
  }

  #onAdded(): void {
    if (this.#context.endsWithStream && this.#current?.group.complete) this.stop();
  }

  /** Makes the kernel probe the current peer every second while a connection is pending to replace it. */
  #updateProbing(): void {
    const often = this.#pending.size > 0;
    if (often || this.#probing) this.#current?.group.probeOften(often);
    this.#probing = often;
  }

  #currentPeer(index: number): CurrentPeer | undefined {
    if (this.#current === undefined) return undefined;
    const { group, address, acceptedAt } = this.#current;
    return { address, acceptedAt, complete: group.complete, hasStream: group.has(index) };
  }

  #openGroup(first: StreamPort): StreamGroup {
    const { events, endsWithStream } = this.#context;
    const group: StreamGroup = new StreamGroup(this.#context, {
      onComplete: ([stream = first]) => {
        this.#context.onConnected();
        events.report({ type: "connected", local: stream.local, remote: stream.remote });
      },
      onEnded: (reason, code) => {
        const isCurrent = this.#current?.group === group;
        if (isCurrent) this.#current = undefined;
        events.report({ type: "disconnected", remote: first.remote, reason, code });
        if (endsWithStream) this.#context.endTunnel();
        if (isCurrent) this.#acceptPending();
      },
    });
    return group;
  }

  /** Accepts the newest pending connection, because the current one has ended. */
  #acceptPending(): void {
    const next = this.#stopped ? undefined : this.#pending.take();
    if (next !== undefined) this.#accept(next.index, next.stream);
  }
}
