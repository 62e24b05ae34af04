/** Opening a datagram channel to a server. */

import type { Clock } from "../net/clock.ts";
import { type HostNetwork, NetError, type Network, networkFailure } from "../net/network.ts";
import type { StreamPort } from "../net/stream-port.ts";
import type { DialTarget, StreamTransport } from "../net/stream-transport.ts";
import type { EventListener } from "../observe/events.ts";
import {
  type ChannelSettings,
  type DialChannelOptions,
  readChannelOptions,
} from "../options/channel-options.ts";
import { closeOnAbort } from "../tunnel/closing.ts";
import { dialOnce } from "../tunnel/dial/dial-once.ts";
import { openNetwork } from "../tunnel/open-network.ts";
import { wrapNetError } from "../tunnel/start-errors.ts";
import { DatagramChannel } from "./datagram-channel.ts";

/** Parameters of `dialChannel` and `listenChannels` that are not options. */
export interface ChannelExtras {
  /**
   * Closes the channel, or all accepted channels, when it is aborted. A pending dial rejects with its reason.
   */
  readonly signal?: AbortSignal | undefined;
  /** Receives warnings about certificates and the file of the secret, and reports of rejected connections. */
  readonly onEvent?: EventListener | undefined;
  /** Replaces the real network in tests. */
  readonly network?: HostNetwork | undefined;
}

/**
 * Connects to a server that frames datagrams as UDPTunnel does: a udptunnel server, DNS over TCP (RFC 7766),
 * RTP over TCP (RFC 4571). Settles when the connection is up and, with TLS or a secret, authenticated. The
 * addresses of all servers are dialled one by one. A channel is one connection: dial again after it has
 * ended.
 *
 * @throws OptionsError ERR_OPTIONS with every problem at once.
 * @throws TunnelError ERR_DIAL when no server could be connected to or authenticated. Its `cause` is the
 *   error of the last server, whose `code` is a {@link TlsCode}, EAUTH for the secret, or an errno name.
 * @throws TunnelError ERR_TLS, ERR_RESOLVE, ERR_PERMISSION; the signal's reason if it is aborted.
 */
export async function dialChannel(
  options: DialChannelOptions,
  extras: ChannelExtras = {},
): Promise<DatagramChannel> {
  const { signal } = extras;
  const read = readChannelOptions(options, "client");
  signal?.throwIfAborted();
  const { settings, network, transport } = await openNetwork(read, [extras.onEvent], extras.network);
  const open = (stream: StreamPort) => {
    const channel = new DatagramChannel(stream, { clock: network.clock, settings });
    closeOnAbort(channel, signal);
    return channel;
  };
  let failure: NetError | undefined;
  for await (const server of addresses(network, settings)) {
    signal?.throwIfAborted();
    const result =
      server instanceof NetError ? server : await connect(transport, network.clock, server, signal, open);
    signal?.throwIfAborted();
    if (result instanceof DatagramChannel) return result;
    failure = result;
  }
  return wrapNetError("ERR_DIAL")(failure);
}

/**
 * The addresses of all servers in order. If a name cannot be resolved, the error takes the place of its
 * addresses.
 */
async function* addresses(
  network: Network,
  { connect: servers, family }: ChannelSettings,
): AsyncGenerator<DialTarget | NetError> {
  for (const { host, port } of servers) {
    try {
      for (const address of await network.resolve(host, family)) yield { address, port, host };
    } catch (error) {
      yield networkFailure(error);
    }
  }
}

/** Returns the channel, or the error if the address cannot be connected to. An abort cancels the dial. */
function connect(
  transport: StreamTransport,
  clock: Clock,
  to: DialTarget,
  signal: AbortSignal | undefined,
  open: (stream: StreamPort) => DatagramChannel,
): Promise<DatagramChannel | NetError> {
  return new Promise((resolve, reject) => {
    const attempt = dialOnce(transport, clock, to, 1, (stream) => resolve(open(stream)));
    const cancel = () => attempt.cancel();
    signal?.addEventListener("abort", cancel, { once: true });
    attempt.done
      .finally(() => signal?.removeEventListener("abort", cancel))
      .then((failure) => failure && resolve(failure), reject);
  });
}
