/** The server's supply of streams: listens, and serves one peer at a time. */

import { type Endpoint, unmapped } from "../net/endpoint.ts";
import type { NetError } from "../net/network.ts";
import type { StreamListener, StreamPort } from "../net/stream-port.ts";
import type { RefusalReason } from "../observe/events.ts";
import type { Settings } from "../options/settings.ts";
import { AddressFilter } from "./address-filter.ts";
import { Admission, type Incumbent } from "./admission.ts";
import type { Association } from "./association.ts";
import type { StreamSupply, SupplyContext } from "./stream-supply.ts";

export class StreamServer implements StreamSupply {
  readonly #context: SupplyContext;
  readonly #onRefused: () => void;
  readonly #listeners: StreamListener[] = [];
  readonly #admission = new Admission();
  readonly #allowed: AddressFilter | undefined;
  #current: { association: Association; address: string; since: number } | undefined;
  #stopped = false;

  /**
   * @param allow who may connect, each an address literal, perhaps with `/PREFIX`; empty: everyone.
   * @param onRefused called for each connection turned away.
   * @throws NetError when a port cannot be bound.
   */
  constructor(
    context: SupplyContext,
    at: NonNullable<Settings["listen"]>,
    allow: readonly string[],
    onRefused: () => void,
  ) {
    this.#context = context;
    this.#allowed = allow.length > 0 ? new AddressFilter(allow) : undefined;
    this.#onRefused = onRefused;
    try {
      for (let index = 0; index < context.streams; index++) {
        const onFailure = (remote: Endpoint, failure: NetError) => this.#onFailure(remote, failure);
        const onStream = (stream: StreamPort) => this.#offer(index, stream);
        this.#listeners.push(
          context.network.listen({ ...at, port: at.port && at.port + index }, onStream, onFailure),
        );
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
  }

  #offer(index: number, stream: StreamPort): void {
    const address = unmapped(stream.remote.address);
    const now = this.#context.network.clock.now();
    if (this.#stopped) return this.#refuse(stream, "closing");
    if (this.#allowed?.allows(address) === false) return this.#refuse(stream, "address not allowed");
    const { verdict, first } = this.#admission.decide(address, this.#incumbent(index), now);
    if (first) this.#context.events.report({ type: "clients compete", address });
    if (verdict === "refuse other") return this.#refuse(stream, "another peer is being served");
    if (verdict === "refuse storm") return this.#refuse(stream, "too many replacements");
    if (verdict === "replace") {
      this.#current?.association.end(this.#current.address === address ? "replaced" : "half a pair");
    }
    if (verdict !== "fill") this.#current = { association: this.#associate(stream), address, since: now };
    this.#current?.association.add(index, stream);
    if (this.#context.endsWithStream && this.#current?.association.complete) this.stop();
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
        if (this.#current?.association === association) this.#current = undefined;
        events.report({ type: "disconnected", remote: first.remote, reason, code });
        if (endsWithStream) this.#context.onOver();
      },
    });
    return association;
  }

  #onFailure(remote: Endpoint, { code, message }: NetError): void {
    this.#onRefused();
    this.#context.events.report({ type: "handshake failed", remote, code, message });
  }

  #refuse(stream: StreamPort, reason: RefusalReason): void {
    this.#onRefused();
    this.#context.events.report({ type: "connection refused", remote: stream.remote, reason });
    stream.receive({ onChunk() {}, onDrain() {}, onEnd() {}, onClose() {} });
    stream.terminate();
  }
}
