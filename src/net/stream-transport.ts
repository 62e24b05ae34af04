/** How TCP connections are made: by dialling, and by accepting. */

import type { Endpoint } from "./endpoint.ts";
import type { StreamPort } from "./stream-port.ts";

export interface StreamTransport {
  /** Dials one address. The caller bounds the time and cancels the dial. */
  dial(to: DialTarget): Dial;
  /**
   * Listens on a TCP port. Each connection is passed to `onStream`, after its handshake if there is one.
   *
   * @param at an address literal; undefined listens on every address of this host, IPv4 and IPv6.
   * @param acceptPolicy by default every address may connect.
   * @throws NetError when the port cannot be bound.
   */
  listen(
    at: { address?: string; port: number },
    onStream: (stream: StreamPort) => void,
    acceptPolicy?: AcceptPolicy,
  ): StreamListener;
  /**
   * How many files and sockets this process may have open, except those of connections whose handshake is pending.
   * Infinity when the limit is unknown.
   */
  descriptorLimit(): number;
}

/** Where to dial. */
export interface DialTarget extends Endpoint {
  /** The host as it was given, which TLS asks for and looks for in the certificate; the address itself, when missing. */
  readonly host?: string | undefined;
}

/** A connection being made. */
export interface Dial {
  /** Rejects with a `NetError`. Never settles after {@link cancel}. */
  readonly stream: Promise<StreamPort>;
  /** Whether the server has answered, and only a handshake is under way that bounds its own time. */
  readonly answered?: boolean;
  /** Gives up: the connection will not come to be, at the server neither. */
  cancel(): void;
}

/** Who is let in at a listener, and who is told of those that are not. Their connections are closed by then. */
export interface AcceptPolicy {
  /** Whether an address may connect: a literal, IPv4 not wrapped in IPv6. Asked before anything is said to it. */
  allows(address: string): boolean;
  /** A connection was refused: its address may not connect, or too few descriptors are left. */
  onRejected(remote: Endpoint, reason: "address not allowed" | "fd limit"): void;
  /** Its handshake failed. */
  onFailure(remote: Endpoint, failure: { readonly code: string; readonly message: string }): void;
}

/** Lets everybody in. */
export const ALLOW_ALL: AcceptPolicy = { allows: () => true, onRejected() {}, onFailure() {} };

/** A TCP port that is listening. */
export interface StreamListener {
  readonly local: Endpoint;
  close(): void;
}
