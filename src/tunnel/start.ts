/** Starting a tunnel. */

import type { HostNetwork } from "../net/network.ts";
import { EventLog } from "../observe/event-log.ts";
import type { EventListener } from "../observe/events.ts";
import { LIBRARY } from "../options/input-style.ts";
import { readClientOptions, readServerOptions, type Settings } from "../options/settings.ts";
import type { ClientOptions, ServerOptions } from "../options/tunnel-options.ts";
import { closeOnAbort } from "./closing.ts";
import { openNetwork } from "./open-network.ts";
import { PeerTunnel } from "./peer/peer-tunnel.ts";
import { SessionTunnel } from "./session/session-tunnel.ts";
import { explained, type NameOf } from "./start-errors.ts";
import type { Trace, Tunnel } from "./tunnel.ts";

/** Who ends the tunnel, who is told of it, and by which network. */
export interface StartExtras {
  /** Closes the tunnel when it is aborted. Aborted before the tunnel has started, starting rejects with its reason. */
  signal?: AbortSignal | undefined;
  /** What log records call the tunnel: their category is `["udptunnel", name]`. Default: `tunnel`. */
  name?: string | undefined;
  /** Told of every change of state and every warning, from the first on. */
  onEvent?: EventListener | undefined;
  /** Told of every datagram. What it throws is not caught. */
  trace?: Trace | undefined;
  /** Another network than the real one, for tests. */
  network?: HostNetwork | undefined;
}

interface LoggedExtras extends StartExtras {
  log?: EventLog | undefined;
  /** How messages name options. Default: by the library's keys. */
  nameOf?: NameOf | undefined;
}

/** A library logs whatever happens; the process decides what becomes of it. */
function logged(extras: StartExtras): LoggedExtras {
  return { ...extras, log: new EventLog({ name: extras.name ?? "tunnel", nameOf: LIBRARY.nameOf }) };
}

/**
 * Starts the side that waits for TCP connections. Settles when every port is bound.
 *
 * @param extras not options of the tunnel itself; all may be left out.
 * @throws OptionsError ERR_OPTIONS with every problem at once; TunnelError ERR_TLS, ERR_RESOLVE, ERR_UDP_BIND, ERR_LISTEN,
 * ERR_PERMISSION; the signal's reason when that is aborted.
 */
export async function startServer(options: ServerOptions, extras: StartExtras = {}): Promise<Tunnel> {
  return await startTunnel(readServerOptions(options), logged(extras));
}

/**
 * Starts the side that dials. Settles when the UDP port is bound; the server may come later.
 *
 * @param extras not options of the tunnel itself; all may be left out.
 * @throws OptionsError ERR_OPTIONS with every problem at once; TunnelError ERR_TLS, ERR_RESOLVE, ERR_UDP_BIND, ERR_PERMISSION;
 * the signal's reason when that is aborted.
 */
export async function startClient(options: ClientOptions, extras: StartExtras = {}): Promise<Tunnel> {
  return await startTunnel(readClientOptions(options), logged(extras));
}

/** Starts either side from settings that have been read. */
export async function startTunnel(read: Settings, extras: LoggedExtras): Promise<Tunnel> {
  const { signal, onEvent, trace, log } = extras;
  signal?.throwIfAborted();
  const opened = await openNetwork(read, { network: extras.network, listeners: [onEvent, log?.onEvent] });
  const { settings, network, events } = opened;
  const Mode = settings.perSource ? SessionTunnel : PeerTunnel;
  const tunnel = new Mode(opened, trace);
  await tunnel.open().catch((error) => {
    throw explained(error, settings, extras.nameOf ?? LIBRARY.nameOf);
  });
  network.watchSystem((report) => events.report({ type: "socket settings", ...report }));
  if (signal?.aborted) await tunnel.close();
  signal?.throwIfAborted();
  closeOnAbort(tunnel, signal);
  tunnel.startEmitting();
  return tunnel;
}
