import type { Family } from "./endpoint.ts";

/** What all sockets of one tunnel have in common. */
export interface SocketOptions {
  /** The only protocol to use; both when undefined. */
  readonly family?: Family | undefined;
  /** The traffic class byte of UDP and TCP packets, 0 to 255. */
  readonly tos?: number | undefined;
  /** Linux SO_MARK of every socket, before its first packet. */
  readonly mark?: number | undefined;
  /** The local address literals TCP is dialled from: the first of the family that is dialled. */
  readonly tcpBind?: readonly string[] | undefined;
  /** A peer that answers nothing for this long is dead, in milliseconds. */
  readonly deadAfterMs: number;
  /** What UDP sockets ask for as receive and send buffers. */
  readonly socketBufferBytes: number;
  /** Whether datagrams may be handed to the kernel in segments of one large send. */
  readonly offload: "auto" | "off";
}
