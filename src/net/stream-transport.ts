/**
 * The contract for making TCP connections: by dialling and by listening. `bun/dial.ts` and `bun/listen.ts`
 * implement it. With TLS or a shared secret, a connection is handed out only after its handshake.
 */

import type { Endpoint } from "./endpoint.ts";
import type { StreamPort } from "./stream-port.ts";

export interface StreamTransport {
  /** Dials one address. The dial has no timeout: the caller cancels it. */
  dial(to: DialTarget): Dial;
  /**
   * Listens on a TCP port and passes each accepted connection to `onStream`.
   *
   * @param at an address literal; without an address, every address of this host, IPv4 and IPv6.
   * @param acceptPolicy by default every address may connect.
   * @throws NetError when the port cannot be bound.
   */
  listen(
    at: { address?: string; port: number },
    onStream: (stream: StreamPort) => void,
    acceptPolicy?: AcceptPolicy,
  ): StreamListener;
  /**
   * How many files and sockets this process may have open, except those of connections whose handshake is
   * pending. Infinity when the limit is unknown.
   */
  descriptorLimit(): number;
}

/** The address to dial. */
export interface DialTarget extends Endpoint {
  /** The server's name for TLS: sent as SNI and checked against the certificate. By default the address. */
  readonly host?: string | undefined;
}

/** A connection attempt. */
export interface Dial {
  /** Resolves with the connection, or rejects with a `NetError`. Never settles after {@link cancel}. */
  readonly stream: Promise<StreamPort>;
  /** Whether TCP is connected and only a handshake is pending, which has its own timeout. */
  readonly tcpConnected?: boolean;
  /** Gives up the attempt. If TCP connects later all the same, the connection is reset. */
  cancel(): void;
}

/** Decides which clients may connect to a listener, and is notified of each connection that fails there. */
export interface AcceptPolicy {
  /**
   * Whether this address may connect. Called before anything is sent to the client.
   *
   * @param address a literal; IPv4 is not in its v4-mapped form.
   */
  allows(address: string): boolean;
  /** A connection was reset: its address may not connect, or too few file descriptors are left. */
  onRejected(remote: Endpoint, reason: "address not allowed" | "fd limit"): void;
  /** A connection's handshake failed. The connection is closed. */
  onHandshakeFailed(remote: Endpoint, failure: { readonly code: string; readonly message: string }): void;
}

/** Allows every client. */
export const ALLOW_ALL: AcceptPolicy = { allows: () => true, onRejected() {}, onHandshakeFailed() {} };

/** A TCP port in the listening state. */
export interface StreamListener {
  readonly local: Endpoint;
  close(): void;
}
