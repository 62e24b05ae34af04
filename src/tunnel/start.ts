/**
 * Starting a tunnel:
 *
 *   1. The options are read and checked; nothing is open yet.
 *   2. `openNetwork` opens the network, with TLS and the shared secret.
 *   3. The mode's tunnel binds its ports: {@link PeerTunnel} or {@link SessionTunnel}.
 *   4. The caller gets the tunnel, attaches listeners, and the first events are emitted.
 */

import type { HostNetwork } from "../net/network.ts";
import type { NameOf } from "../observe/describe-event.ts";
import { EventLog } from "../observe/event-log.ts";
import type { EventListener } from "../observe/events.ts";
import { LIBRARY } from "../options/input-style.ts";
import { readClientOptions, readServerOptions, type Settings } from "../options/settings.ts";
import type { ClientOptions, ServerOptions } from "../options/tunnel-options.ts";
import { closeOnAbort } from "./closing.ts";
import { openNetwork } from "./open-network.ts";
import { PeerTunnel } from "./peer/peer-tunnel.ts";
import { SessionTunnel } from "./session/session-tunnel.ts";
import { withAdvice } from "./start-errors.ts";
import type { Trace, Tunnel } from "./tunnel.ts";

/** Parameters of a start that are not options of the tunnel. */
export interface StartExtras {
  /**
   * Closes the tunnel when it is aborted. If it is aborted before the start is complete, the start rejects
   * with its reason.
   */
  signal?: AbortSignal | undefined;
  /** The tunnel's name in log records, whose category is `["udptunnel", name]`. Default: `tunnel`. */
  name?: string | undefined;
  /** Receives every event from the first on: changes of state and warnings. */
  onEvent?: EventListener | undefined;
  /** Receives every datagram's source and length. An error that it throws is not caught. */
  trace?: Trace | undefined;
  /** Replaces the real network in tests. */
  network?: HostNetwork | undefined;
}

interface LoggedExtras extends StartExtras {
  log?: EventLog | undefined;
  /** How messages spell options. Default: the library's keys. */
  nameOf?: NameOf | undefined;
}

/** The library logs every event. The process that uses it configures what happens to the records. */
function logged(extras: StartExtras): LoggedExtras {
  return { ...extras, log: new EventLog({ name: extras.name ?? "tunnel", nameOf: LIBRARY.nameOf }) };
}

/**
 * Starts a server: the end that accepts TCP connections. Settles when every port is bound.
 *
 * @throws OptionsError ERR_OPTIONS with every problem at once; TunnelError ERR_TLS, ERR_RESOLVE,
 *   ERR_UDP_BIND, ERR_LISTEN, ERR_PERMISSION; the reason of `extras.signal` if it is aborted.
 */
export async function startServer(options: ServerOptions, extras: StartExtras = {}): Promise<Tunnel> {
  return await startTunnel(readServerOptions(options), logged(extras));
}

/**
 * Starts a client: the end that dials. Settles when the UDP port is bound, even if no server answers yet.
 *
 * @throws OptionsError ERR_OPTIONS with every problem at once; TunnelError ERR_TLS, ERR_RESOLVE,
 *   ERR_UDP_BIND, ERR_PERMISSION; the reason of `extras.signal` if it is aborted.
 */
export async function startClient(options: ClientOptions, extras: StartExtras = {}): Promise<Tunnel> {
  return await startTunnel(readClientOptions(options), logged(extras));
}

/** Starts either end from settings that have been read. */
export async function startTunnel(read: Settings, extras: LoggedExtras): Promise<Tunnel> {
  const { signal, onEvent, trace, log } = extras;
  signal?.throwIfAborted();
  const opened = await openNetwork(read, [onEvent, log?.onEvent], extras.network);
  const { settings, network, events } = opened;
  const Mode = settings.perSource ? SessionTunnel : PeerTunnel;
  const tunnel = new Mode(opened, trace);
  await tunnel.open().catch((error) => {
    throw withAdvice(error, settings, extras.nameOf ?? LIBRARY.nameOf);
  });
  network.watchSystem((report) => events.report({ type: "socket settings", ...report }));
  if (signal?.aborted) await tunnel.close();
  signal?.throwIfAborted();
  closeOnAbort(tunnel, signal);
  tunnel.startEmitting();
  return tunnel;
}
