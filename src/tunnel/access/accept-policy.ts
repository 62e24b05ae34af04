/** A server's acceptPolicy: who may connect, and what is counted and told of those that are rejected, here or further in. */

import { reset } from "../../net/close-stream.ts";
import { type Endpoint, unmapped } from "../../net/endpoint.ts";
import type { StreamPort } from "../../net/stream-port.ts";
import type { AcceptPolicy } from "../../net/stream-transport.ts";
import { isTlsCode } from "../../net/tls/tls-failure.ts";
import type { Counters } from "../../observe/counters.ts";
import type { EventSource, RejectReason } from "../../observe/events.ts";
import { AddressFilter } from "./address-filter.ts";

export class ServerAcceptPolicy implements AcceptPolicy {
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

  onRejected(remote: Endpoint, reason: RejectReason): void {
    this.#onRejected(remote, reason);
  }

  onFailure(remote: Endpoint, { code, message }: { code: string; message: string }): void {
    this.#counters.rejectedConnections++;
    if (isTlsCode(code)) this.#counters.failedHandshakes[code]++;
    this.#events.report({ type: "handshake failed", remote, code, message });
  }

  /** Ends a stream that is not served, without a farewell. */
  reject(stream: StreamPort, reason: RejectReason): void {
    this.#onRejected(stream.remote, reason);
    reset(stream);
  }

  /** Ends a stream because all sessions are in use. */
  rejectForSessionLimit(stream: StreamPort, sessions: number): void {
    this.#events.report({ type: "session rejected", source: stream.remote, sessions });
    this.reject(stream, "session limit");
  }

  /** Ends a stream because its address has reached the limit of sessions. */
  rejectForAddressLimit(stream: StreamPort, sessions: number): void {
    const address = unmapped(stream.remote.address);
    this.#events.report({ type: "address limit", address, sessions });
    this.reject(stream, "address limit");
  }

  #onRejected(remote: Endpoint, reason: RejectReason): void {
    this.#counters.rejectedConnections++;
    this.#events.report({ type: "connection rejected", remote, reason });
  }
}
