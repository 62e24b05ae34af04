/** The server's supply of streams: listens, and serves one peer at a time. */

import { type Endpoint, unmapped } from "../../net/endpoint.ts";
import type { StreamListener, StreamPort } from "../../net/stream-port.ts";
import { Admission, type Incumbent } from "./replacement-policy.ts";
import type { Association } from "./stream-group.ts";
import { openAtEach, placeOf } from "../own-addresses.ts";
import { PendingReplacements } from "./pending-replacements.ts";
import type { ServerDoorkeeper } from "../access/accept-policy.ts";
import type { StreamSupply, SupplyContext } from "./connector.ts";

export class StreamServer implements StreamSupply {
  readonly #context: SupplyContext;
  readonly #doorkeeper: ServerDoorkeeper;
  readonly #listeners: StreamListener[] = [];
  readonly #admission = new Admission();
  readonly #pending: PendingReplacements;
  #current: { association: Association; address: string; since: number } | undefined;
  #probing = false;
  #stopped = false;

  /**
   * @param at the addresses to listen on and the (first) port.
   * @throws NetError when a port cannot be bound.
   */
  constructor(
    context: SupplyContext,
    at: { addresses: readonly (string | undefined)[]; port: number },
    doorkeeper: ServerDoorkeeper,
  ) {
    this.#context = context;
    this.#doorkeeper = doorkeeper;
    this.#pending = new PendingReplacements(context.network.clock, {
      silentMs: () => this.#current?.association.silentMs,
      onReplacement: (index, stream, sentFrame) =>
        sentFrame ? this.#admit(index, stream, true) : this.#replace(index, stream),
      onRefused: (stream) => {
        doorkeeper.turnAway(stream, this.#stopped ? "closing" : "another peer is being served");
        this.#probe();
      },
    });
    try {
      for (let index = 0; index < context.streams; index++) {
        const onStream = (stream: StreamPort) => this.#offer(index, stream);
        const listen = (address: string | undefined, port: number) =>
          context.network.listen(placeOf(address, port), onStream, doorkeeper);
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

  get association(): Association | undefined {
    return this.#current?.association;
  }

  onWanted(): void {}

  stop(): void {
    this.#stopped = true;
    for (const listener of this.#listeners) listener.close();
    this.#pending.clear();
  }

  /** A connection has come. */
  #offer(index: number, stream: StreamPort): void {
    if (this.#stopped) return this.#doorkeeper.turnAway(stream, "closing");
    this.#admit(index, stream, this.#context.authenticates);
  }

  /** @param proved whether it is known to be a peer, not a probe. */
  #admit(index: number, stream: StreamPort, proved: boolean): void {
    const address = unmapped(stream.remote.address);
    const now = this.#context.network.clock.now();
    const { verdict, first } = this.#admission.decide(address, this.#incumbent(index), proved, now);
    if (first) this.#context.events.report({ type: "clients compete", address });
    switch (verdict) {
      case "refuse other":
        return this.#doorkeeper.turnAway(stream, "another peer is being served");
      case "refuse storm":
        return this.#doorkeeper.turnAway(stream, "too many replacements");
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
    former?.association.end(same ? "replaced" : "half a pair");
    this.#serve(index, stream);
  }

  /** Serves a new peer, with the other half of its pair if that is pending. */
  #serve(index: number, stream: StreamPort): void {
    const address = unmapped(stream.remote.address);
    const since = this.#context.network.clock.now();
    const association = this.#associate(stream);
    this.#current = { association, address, since };
    // The other half first: what this one has sent is then relayed, not dropped for want of a pair.
    for (let other = 0; other < this.#context.streams; other++) {
      const half = other === index ? undefined : this.#pending.take(other);
      if (half !== undefined) association.add(other, half.stream);
    }
    association.add(index, stream);
    this.#onAdded();
    this.#probe();
  }

  #add(index: number, stream: StreamPort): void {
    this.#current?.association.add(index, stream);
    this.#onAdded();
  }

  #onAdded(): void {
    if (this.#context.endsWithStream && this.#current?.association.complete) this.stop();
  }

  /** Probes the served peer every second while a connection is pending to replace it. */
  #probe(): void {
    const often = this.#pending.size > 0;
    if (often || this.#probing) this.#current?.association.probeOften(often);
    this.#probing = often;
  }

  #incumbent(index: number): Incumbent | undefined {
    if (this.#current === undefined) return undefined;
    const { association, address, since } = this.#current;
    return { address, since, complete: association.complete, occupied: association.has(index) };
  }

  #associate(first: StreamPort): Association {
    const { events, endsWithStream } = this.#context;
    const association: Association = this.#context.associate({
      onUp: ([stream = first]) =>
        events.report({ type: "connected", local: stream.local, remote: stream.remote }),
      onEnded: (reason, code) => {
        const served = this.#current?.association === association;
        if (served) this.#current = undefined;
        events.report({ type: "disconnected", remote: first.remote, reason, code });
        if (endsWithStream) this.#context.onOver();
        if (served) this.#serveNext();
      },
    });
    return association;
  }

  /** The served connection has ended: the newest pending connection is served. */
  #serveNext(): void {
    const next = this.#stopped ? undefined : this.#pending.take();
    if (next !== undefined) this.#serve(next.index, next.stream);
  }
}
