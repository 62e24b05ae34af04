/** How TCP connections are made: by dialling, and by accepting. */

import type { AcceptPolicy, Dial, DialTarget, StreamListener, StreamPort } from "./stream-port.ts";

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
