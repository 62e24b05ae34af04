/** Accepting datagram channels on a TCP port. */

import { MemoryBudget } from "../link/memory-budget.ts";
import { type Endpoint, unmapped } from "../net/endpoint.ts";
import type { StreamPort } from "../net/stream-port.ts";
import type { StreamListener } from "../net/stream-transport.ts";
import type { TlsCode } from "../net/tls/tls-failure.ts";
import type { AuthFailureReason, Counters } from "../observe/counters.ts";
import type { DisconnectReason } from "../observe/events.ts";
import { invokeListener } from "../observe/invoke-listener.ts";
import {
  type ChannelSettings,
  type ListenChannelsOptions,
  readChannelOptions,
} from "../options/channel-options.ts";
import { LIBRARY } from "../options/input-style.ts";
import { limitsAccess } from "../options/settings.ts";
import { ServerAcceptPolicy } from "../tunnel/access/accept-policy.ts";
import { ConnectionTable, connectionsMax } from "../tunnel/access/connection-table.ts";
import { closeOnAbort, Lifecycle } from "../tunnel/closing.ts";
import { listenAddressesOf, listenAtEach } from "../tunnel/local-bind.ts";
import { type OpenNetwork, openNetwork, reloadCertificates } from "../tunnel/open-network.ts";
import { withAdvice, wrapNetError } from "../tunnel/start-errors.ts";
import { DatagramChannel } from "./datagram-channel.ts";
import type { ChannelExtras } from "./dial-channel.ts";

/**
 * Called with each channel, in the tick in which it was accepted. If it throws, the error is raised as an
 * uncaught exception. A promise that it returns is not awaited.
 */
export type OnChannel = (channel: DatagramChannel) => void | Promise<void>;

/** A TCP port at which channels are accepted. Leaving an `await using` block closes it. */
export interface ChannelServer extends AsyncDisposable {
  /** The bound TCP addresses and ports: one for each address of the name. */
  readonly tcp: readonly Endpoint[];
  /** The current channels. */
  readonly channels: Iterable<DatagramChannel> & { readonly size: number };
  /**
   * The number of rejected connections: the address is not allowed, a limit is reached, or authentication or
   * the TLS handshake failed.
   */
  readonly rejectedConnections: number;
  /** Live counters of the rejected connections that did not prove that they know the secret, by reason. */
  readonly authFailures: Readonly<Record<AuthFailureReason, number>>;
  /** Live counters of the rejected connections whose TLS handshake failed, by code. */
  readonly failedHandshakes: Readonly<Record<TlsCode, number>>;
  /** Settles when the server is closed. Never rejects. */
  readonly closed: Promise<void>;
  /**
   * Reads the files of `cert`, `key` and `clientCa` again, for new channels. If a file cannot be used, an
   * event reports it and the old certificates stay. Without `tls` it does nothing.
   */
  reloadCertificates(): void;
  /** Stops listening, and closes every channel as {@link DatagramChannel.close} does. Never rejects. */
  close(): Promise<void>;
}

/**
 * Listens for channels. Settles when the port is bound.
 *
 * @throws OptionsError ERR_OPTIONS with every problem at once.
 * @throws TunnelError ERR_TLS, ERR_RESOLVE, ERR_LISTEN, ERR_PERMISSION; the signal's reason if it is aborted.
 */
export async function listenChannels(
  options: ListenChannelsOptions,
  onChannel: OnChannel,
  extras: ChannelExtras = {},
): Promise<ChannelServer> {
  const { signal } = extras;
  const read = readChannelOptions(options, "server");
  signal?.throwIfAborted();
  const opened = await openNetwork(read, [extras.onEvent], extras.network);
  const { listen, family } = opened.settings;
  const addresses = await listenAddressesOf(opened.network, listen?.address, family);
  signal?.throwIfAborted();
  const server = bind(opened, addresses, onChannel);
  if (signal?.aborted) await server.close(); // a listener of the first events has aborted it
  signal?.throwIfAborted();
  closeOnAbort(server, signal);
  return server;
}

function bind(
  opened: OpenNetwork<ChannelSettings>,
  addresses: readonly (string | undefined)[],
  onChannel: OnChannel,
): ListeningServer {
  try {
    return new ListeningServer(opened, addresses, onChannel);
  } catch (error) {
    throw withAdvice(error, opened.settings, LIBRARY.nameOf);
  }
}

class ListeningServer implements ChannelServer {
  readonly channels: ConnectionTable<DatagramChannel>;
  readonly #opened: OpenNetwork<ChannelSettings>;
  readonly #onChannel: OnChannel;
  readonly #acceptPolicy: ServerAcceptPolicy;
  readonly #budget: MemoryBudget;
  readonly #listeners: readonly StreamListener[];
  /** The channels whose connection is not closed, including those that are closing. */
  readonly #open = new Set<DatagramChannel>();
  readonly #lifecycle = new Lifecycle(() => this.#finish());
  #stopSweep: (() => void) | undefined;

  /** @throws TunnelError ERR_LISTEN, ERR_PERMISSION. */
  constructor(
    opened: OpenNetwork<ChannelSettings>,
    addresses: readonly (string | undefined)[],
    onChannel: OnChannel,
  ) {
    const { network, transport, settings, counters, events } = opened;
    this.#opened = opened;
    this.#onChannel = onChannel;
    const acceptPolicy = new ServerAcceptPolicy(counters, events, settings.allow);
    this.#acceptPolicy = acceptPolicy;
    this.#budget = new MemoryBudget(settings.queueBytesMax);
    const max = Math.min(settings.maxSessions, connectionsMax(transport.descriptorLimit(), 1));
    this.channels = new ConnectionTable(max, settings.maxSessionsPerAddress);
    const onStream = (stream: StreamPort) => this.#onConnection(stream);
    const listening = { transport, events, acceptPolicy };
    try {
      this.#listeners = listenAtEach(addresses, settings.listen?.port ?? 0, onStream, listening);
    } catch (error) {
      throw wrapNetError("ERR_LISTEN")(error);
    }
    events.reportListening(this.tcp, [], limitsAccess(settings));
    if (settings.idleTimeoutMs > 0)
      this.#stopSweep = this.channels.startSweep(network.clock, (channel) => this.#end(channel, "idle"));
  }

  get rejectedConnections(): number {
    return this.#opened.counters.rejectedConnections;
  }

  get authFailures(): Counters["authFailures"] {
    return this.#opened.counters.authFailures;
  }

  get failedHandshakes(): Counters["failedHandshakes"] {
    return this.#opened.counters.failedHandshakes;
  }

  reloadCertificates(): void {
    reloadCertificates(this.#opened);
  }

  get tcp(): readonly Endpoint[] {
    return this.#listeners.map(({ local }) => local);
  }

  get closed(): Promise<void> {
    return this.#lifecycle.closed;
  }

  close(): Promise<void> {
    return this.#lifecycle.end();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #onConnection(stream: StreamPort): void {
    if (this.#lifecycle.phase !== "running") return this.#acceptPolicy.reject(stream, "closing");
    const { settings, network } = this.#opened;
    const { clock } = network;
    const evict = (idle: DatagramChannel) => this.#end(idle, "evicted");
    if (!this.#acceptPolicy.admit(stream, this.channels, clock.now(), evict)) return;
    const channel = new DatagramChannel(stream, { clock, settings, budget: this.#budget });
    this.channels.add(channel, unmapped(stream.remote.address));
    this.#open.add(channel);
    void channel.closed.then(() => this.#onClosed(channel));
    invokeListener(() => void this.#onChannel(channel));
  }

  #end(channel: DatagramChannel, reason: DisconnectReason): void {
    this.channels.delete(channel);
    void channel.end(reason);
  }

  #onClosed(channel: DatagramChannel): void {
    this.channels.delete(channel);
    this.#open.delete(channel);
  }

  async #finish(): Promise<void> {
    this.#stopSweep?.();
    for (const listener of this.#listeners) listener.close();
    const closed = [...this.#open].map((channel) => channel.closed);
    for (const channel of [...this.channels]) this.#end(channel, "closing");
    await Promise.all(closed);
  }
}
