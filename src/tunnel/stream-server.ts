/** The server's supply of streams: listens, and serves one peer at a time. */

import { type Endpoint, unmapped } from "../net/endpoint.ts";
import type { StreamListener, StreamPort } from "../net/stream-port.ts";
import { Admission, type Incumbent } from "./admission.ts";
import type { Association } from "./association.ts";
import { openAtEach, placeOf } from "./own-addresses.ts";
import type { ServerDoorkeeper } from "./server-doorkeeper.ts";
import type { StreamSupply, SupplyContext } from "./stream-supply.ts";

export class StreamServer implements StreamSupply {
  readonly #context: SupplyContext;
  readonly #doorkeeper: ServerDoorkeeper;
  readonly #listeners: StreamListener[] = [];
  readonly #admission = new Admission();
  #current: { association: Association; address: string; since: number } | undefined;
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
  }

  #offer(index: number, stream: StreamPort): void {
    const address = unmapped(stream.remote.address);
    const now = this.#context.network.clock.now();
    if (this.#stopped) return this.#doorkeeper.turnAway(stream, "closing");
    const { verdict, first } = this.#admission.decide(address, this.#incumbent(index), now);
    if (first) this.#context.events.report({ type: "clients compete", address });
    if (verdict === "refuse other") return this.#doorkeeper.turnAway(stream, "another peer is being served");
    if (verdict === "refuse storm") return this.#doorkeeper.turnAway(stream, "too many replacements");
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
}
