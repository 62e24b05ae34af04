/** Which clients a server accepts, and the one place where rejected connections are counted and reported. */

import { reset } from "../../net/close-stream.ts";
import { type Endpoint, unmapped } from "../../net/endpoint.ts";
import type { StreamPort } from "../../net/stream-port.ts";
import type { AcceptPolicy } from "../../net/stream-transport.ts";
import { isTlsCode } from "../../net/tls/tls-failure.ts";
import { AUTH_FAILURE_REASONS, type AuthFailureReason, type Counters } from "../../observe/counters.ts";
import type { EventReporter } from "../../observe/event-reporter.ts";
import type { RejectReason } from "../../observe/events.ts";
import { AddressFilter } from "./address-filter.ts";
import type { Connection, ConnectionTable } from "./connection-table.ts";

/** Counts and reports rejected connections, whatever the stage at which they are rejected. */
export class Rejections {
  readonly #counters: Counters;
  protected readonly events: EventReporter;

  constructor(counters: Counters, events: EventReporter) {
    this.#counters = counters;
    this.events = events;
  }

  onRejected(remote: Endpoint, reason: RejectReason): void {
    this.#counters.rejectedConnections++;
    if (isAuthFailure(reason)) this.#counters.authFailures[reason]++;
    if (reason === "invalid proof") this.events.report({ type: "wrong secret", remote });
    this.events.report({ type: "connection rejected", remote, reason });
  }

  /** The TLS handshake of a connection failed. The connection is closed. */
  onHandshakeFailed(remote: Endpoint, { code, message }: { code: string; message: string }): void {
    this.#counters.rejectedConnections++;
    if (isTlsCode(code)) this.#counters.failedHandshakes[code]++;
    this.events.report({ type: "handshake failed", remote, code, message });
  }
}

function isAuthFailure(reason: RejectReason): reason is AuthFailureReason {
  return (AUTH_FAILURE_REASONS as readonly string[]).includes(reason);
}

export class ServerAcceptPolicy extends Rejections implements AcceptPolicy {
  readonly #allowed: AddressFilter | undefined;

  /** @param allow address literals, each optionally with `/PREFIX`; an empty list allows every address. */
  constructor(counters: Counters, events: EventReporter, allow: readonly string[]) {
    super(counters, events);
    this.#allowed = allow.length > 0 ? new AddressFilter(allow) : undefined;
  }

  allows(address: string): boolean {
    return this.#allowed?.allows(address) !== false;
  }

  /** Resets a connection that is not served. */
  reject(stream: StreamPort, reason: RejectReason): void {
    this.onRejected(stream.remote, reason);
    reset(stream);
  }

  /**
   * Whether the table has room for this connection. Rejects it when there is none.
   *
   * @param evict ends an idle connection to make room.
   */
  admit<Entry extends Connection>(
    stream: StreamPort,
    table: ConnectionTable<Entry>,
    now: number,
    evict: (idle: Entry) => void,
  ): boolean {
    const source = stream.remote;
    const address = unmapped(source.address);
    const room = table.findRoom(now, address);
    if (room.limit !== undefined) {
      if (room.limit === "address limit")
        this.events.report({ type: "address limit", address, sessions: table.sizeOf(address) });
      else this.events.report({ type: "session rejected", source, sessions: table.size });
      this.reject(stream, room.limit);
      return false;
    }
    if (room.evict !== undefined) evict(room.evict);
    return true;
  }
}
