/** Accepting datagram channels. */

import { MemoryBudget } from "../link/memory-budget.ts";
import type { Clock } from "../net/clock.ts";
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
import { closeOnAbort } from "../tunnel/closing.ts";
import { listenAddressesOf, listenAtEach } from "../tunnel/local-bind.ts";
import { type OpenNetwork, openNetwork, reloadCertificates } from "../tunnel/open-network.ts";
import { withAdvice, wrapNetError } from "../tunnel/start-errors.ts";
import { DatagramChannel } from "./datagram-channel.ts";
import type { ChannelExtras } from "./dial-channel.ts";

/**
 * Told of each channel, in the turn in which it was accepted. What it throws is raised as an uncaught exception; a promise
 * it returns is not awaited.
 */
export type OnChannel = (channel: DatagramChannel) => void | Promise<void>;

/** A TCP port at which channels are accepted. Leaving an `await using` block closes it. */
export interface ChannelServer extends AsyncDisposable {
  /** The bound TCP ports: one at each address of the name. */
  readonly tcp: readonly Endpoint[];
  /** The channels there are now. */
  readonly channels: Iterable<DatagramChannel> & { readonly size: number };
  /** Connections rejected: too many, too many of one address, not from an allowed address, or those below. */
  readonly rejectedConnections: number;
  /** Those of them that did not prove that they know the secret, by reason; live. */
  readonly authFailures: Readonly<Record<AuthFailureReason, number>>;
  /** Those of them whose TLS handshake failed, by code; live. */
  readonly failedHandshakes: Readonly<Record<TlsCode, number>>;
  /** Settles when it is closed. Never rejects. */
  readonly closed: Promise<void>;
  /**
   * Reads the files of `cert`, `key` and `clientCa` again, for channels from now on. What cannot be used is told as an
   * event, and changes nothing. Without `tls` it does nothing.
   */
  reloadCertificates(): void;
  /** Accepts no more, and closes every channel as {@link DatagramChannel.close} does. Never rejects. */
  close(): Promise<void>;
}

/**
 * Listens for channels. Settles when the port is bound.
 *
 * @throws OptionsError ERR_OPTIONS with every problem at once; TunnelError ERR_TLS, ERR_RESOLVE, ERR_LISTEN,
 * ERR_PERMISSION; the signal's reason when that is aborted.
 */
export async function listenChannels(
  options: ListenChannelsOptions,
  onChannel: OnChannel,
  extras: ChannelExtras = {},
): Promise<ChannelServer> {
  const { signal } = extras;
  const read = readChannelOptions(options, "server");
  signal?.throwIfAborted();
  const opened = await openNetwork(read, { network: extras.network, listeners: [extras.onEvent] });
  const { listen, family } = opened.settings;
  const addresses = await listenAddressesOf(opened.network, listen?.address, family);
  signal?.throwIfAborted();
  const server = openServer(opened, addresses, onChannel);
  closeOnAbort(server, signal);
  return server;
}

function openServer(...given: ConstructorParameters<typeof ListeningServer>): ListeningServer {
  try {
    return new ListeningServer(...given);
  } catch (error) {
    throw withAdvice(error, given[0].settings, LIBRARY.nameOf);
  }
}

class ListeningServer implements ChannelServer {
  readonly channels: ConnectionTable<DatagramChannel>;
  readonly closed: Promise<void>;
  readonly #opened: OpenNetwork<ChannelSettings>;
  readonly #clock: Clock;
  readonly #counters: Counters;
  readonly #settings: ChannelSettings;
  readonly #onChannel: OnChannel;
  readonly #acceptPolicy: ServerAcceptPolicy;
  readonly #budget: MemoryBudget;
  readonly #listeners: readonly StreamListener[];
  /** The channels that are not gone yet, those that are ending included. */
  readonly #alive = new Set<DatagramChannel>();
  readonly #settleClosed: () => void;
  #stopSweep: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  constructor(
    opened: OpenNetwork<ChannelSettings>,
    addresses: readonly (string | undefined)[],
    onChannel: OnChannel,
  ) {
    const { network, transport, settings, counters, events } = opened;
    this.#opened = opened;
    this.#clock = network.clock;
    this.#counters = counters;
    this.#settings = settings;
    this.#onChannel = onChannel;
    this.#acceptPolicy = new ServerAcceptPolicy(counters, events, settings.allow);
    this.#budget = new MemoryBudget(settings.queueBytesMax);
    const max = Math.min(settings.maxSessions, connectionsMax(transport.descriptorLimit(), 1));
    this.channels = new ConnectionTable(max, settings.maxSessionsPerAddress);
    ({ promise: this.closed, resolve: this.#settleClosed } = Promise.withResolvers<void>());
    try {
      const listening = { transport, events, acceptPolicy: this.#acceptPolicy };
      const onStream = (stream: StreamPort) => this.#offer(stream);
      this.#listeners = listenAtEach(addresses, settings.listen?.port ?? 0, onStream, listening);
    } catch (error) {
      throw wrapNetError("ERR_LISTEN")(error);
    }
    events.reportListening(this.tcp, [], limitsAccess(settings));
    if (settings.idleTimeoutMs > 0)
      this.#stopSweep = this.channels.startSweep(network.clock, (channel) => this.#end(channel, "idle"));
  }

  get rejectedConnections(): number {
    return this.#counters.rejectedConnections;
  }

  get authFailures(): Counters["authFailures"] {
    return this.#counters.authFailures;
  }

  get failedHandshakes(): Counters["failedHandshakes"] {
    return this.#counters.failedHandshakes;
  }

  reloadCertificates(): void {
    reloadCertificates(this.#opened);
  }

  get tcp(): readonly Endpoint[] {
    return this.#listeners.map(({ local }) => local);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close().finally(this.#settleClosed);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #offer(stream: StreamPort): void {
    const clock = this.#clock;
    if (this.#closing !== undefined) return this.#acceptPolicy.reject(stream, "closing");
    const evict = (idle: DatagramChannel) => this.#end(idle, "evicted");
    if (!this.#acceptPolicy.admit(stream, this.channels, clock.now(), evict)) return;
    const channel = new DatagramChannel(stream, { clock, settings: this.#settings, budget: this.#budget });
    this.channels.add(channel, unmapped(stream.remote.address));
    this.#alive.add(channel);
    void channel.closed.then(() => this.#onClosed(channel));
    invokeListener(() => void this.#onChannel(channel));
  }

  #end(channel: DatagramChannel, reason: DisconnectReason): void {
    this.channels.delete(channel);
    void channel.end(reason);
  }

  #onClosed(channel: DatagramChannel): void {
    this.channels.delete(channel);
    this.#alive.delete(channel);
  }

  async #close(): Promise<void> {
    this.#stopSweep?.();
    for (const listener of this.#listeners) listener.close();
    const gone = [...this.#alive].map((channel) => channel.closed);
    for (const channel of [...this.channels]) this.#end(channel, "closing");
    await Promise.all(gone);
  }
}
