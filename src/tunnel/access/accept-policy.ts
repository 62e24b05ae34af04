/** A server's doorkeeper: who may connect, and what is counted and told of those that are turned away, here or further in. */

import { type Endpoint, unmapped } from "../../net/endpoint.ts";
import type { Doorkeeper, StreamPort } from "../../net/stream-port.ts";
import { isTlsCode } from "../../net/tls/tls-failure.ts";
import type { Counters } from "../../observe/counters.ts";
import type { EventSource, RefusalReason } from "../../observe/events.ts";
import { AddressFilter } from "./address-filter.ts";
import { discard } from "../session/session.ts";

export class ServerDoorkeeper implements Doorkeeper {
  readonly #counters: Counters;
  readonly #events: EventSource;
  readonly #allowed: AddressFilter | undefined;

  /** @param allow who may connect, each an address literal, perhaps with `/PREFIX`; empty: everyone. */
  constructor(counters: Counters, events: EventSource, allow: readonly string[]) {
    this.#counters = counters;
    this.#events = events;
    this.#allowed = allow.length > 0 ? new AddressFilter(allow) : undefined;
  }

  allows(address: string): boolean {
    return this.#allowed?.allows(address) !== false;
  }

  onRefused(remote: Endpoint, reason: RefusalReason): void {
    this.#refuse(remote, reason);
  }

  onFailure(remote: Endpoint, { code, message }: { code: string; message: string }): void {
    this.#counters.refusedConnections++;
    if (isTlsCode(code)) this.#counters.failedHandshakes[code]++;
    this.#events.report({ type: "handshake failed", remote, code, message });
  }

  /** Ends a stream that is not served, without a farewell. */
  turnAway(stream: StreamPort, reason: RefusalReason): void {
    this.#refuse(stream.remote, reason);
    discard(stream);
  }

  /** Ends a stream because all sessions are in use. */
  turnAwayForRoom(stream: StreamPort, sessions: number): void {
    this.#events.report({ type: "session refused", source: stream.remote, sessions });
    this.turnAway(stream, "too many sessions");
  }

  /** Ends a stream because its address has reached the limit of sessions. */
  turnAwayByLimit(stream: StreamPort, sessions: number): void {
    const address = unmapped(stream.remote.address);
    this.#events.report({ type: "address limit", address, sessions });
    this.turnAway(stream, "too many sessions of this address");
  }

  #refuse(remote: Endpoint, reason: RefusalReason): void {
    this.#counters.refusedConnections++;
    this.#events.report({ type: "connection refused", remote, reason });
  }
}
