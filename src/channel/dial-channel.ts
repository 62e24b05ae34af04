/** Making a datagram channel to a server. */

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

/** Who ends a channel, who is told of what happens beside it, and by which network it goes. */
export interface ChannelExtras {
  /** Closes the channel, or all that were accepted, when it is aborted; a dial under way rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
  /** Told of warnings about certificates and the secret's file, and of connections that were rejected. */
  readonly onEvent?: EventListener | undefined;
  /** Another network than the real one, for tests. */
  readonly network?: HostNetwork | undefined;
}

/**
 * Connects to a server that frames datagrams as UDPTunnel does: a udptunnel, DNS over TCP (RFC 7766), RTP over a connection
 * (RFC 4571). Settles when the connection is up, and both ends have proved what the options ask for. It is one
 * connection: when it has ended, dial again.
 *
 * @throws OptionsError ERR_OPTIONS with every problem at once; TunnelError ERR_DIAL when no server answers or can be trusted,
 * with the last one's error as `cause` (its `code` is a {@link TlsCode}, EAUTH for the secret, or the system's word),
 * ERR_TLS, ERR_RESOLVE, ERR_PERMISSION; the signal's reason when that is aborted.
 */
export async function dialChannel(
  options: DialChannelOptions,
  extras: ChannelExtras = {},
): Promise<DatagramChannel> {
  const { signal } = extras;
  const read = readChannelOptions(options, "client");
  signal?.throwIfAborted();
  const { settings, network, transport } = await openNetwork(read, {
    network: extras.network,
    listeners: [extras.onEvent],
  });
  let failure: NetError | undefined;
  for await (const server of addresses(network, settings)) {
    signal?.throwIfAborted();
    if (server instanceof NetError) {
      failure = server;
      continue;
    }
    const open = (stream: StreamPort) => new DatagramChannel(stream, { clock: network.clock, settings });
    const channel = await connect(transport, network.clock, server, signal, open);
    signal?.throwIfAborted();
    if (channel instanceof NetError) {
      failure = channel;
      continue;
    }
    closeOnAbort(channel, signal);
    return channel;
  }
  return wrapNetError("ERR_DIAL")(failure);
}

/** Each address of each server in turn, or why a name has none. */
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

/** @returns the channel, or why the address cannot be connected to. An abort cancels the dial. */
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
