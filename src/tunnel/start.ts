/** Starting a tunnel. */

import { openBunNetwork, resolve } from "../net/bun-network.ts";
import type { Network } from "../net/network.ts";
import type { Certificates } from "../net/tls/certificates.ts";
import { Counters } from "../observe/counters.ts";
import { type EventLevel, EventSource, type TunnelEvent } from "../observe/events.ts";
import { readClientOptions, readServerOptions, type Settings } from "../options/settings.ts";
import type { ClientOptions, ServerOptions } from "../options/tunnel-options.ts";
import { authenticated } from "./authenticated.ts";
import { failAs } from "./fail-as.ts";
import { resolveOwnAddresses } from "./own-addresses.ts";
import { PeerTunnel } from "./peer-tunnel.ts";
import { SessionTunnel } from "./session-tunnel.ts";
import type { Trace, Tunnel } from "./tunnel.ts";

/** Who wants to be told, and by which network. */
export interface StartExtras {
  /** Told of every change of state and every warning. */
  onEvent?: ((event: TunnelEvent, level: EventLevel) => void) | undefined;
  /** Told of every datagram. */
  trace?: Trace | undefined;
  /** Another network than the real one, for tests. */
  network?: Network | undefined;
}

/**
 * Starts the side that waits for TCP connections. Settles when every port is bound.
 *
 * @throws OptionsError ERR_OPTIONS with every problem at once; TunnelError ERR_TLS, ERR_RESOLVE, ERR_UDP_BIND, ERR_LISTEN.
 */
export async function startServer(options: ServerOptions, extras: StartExtras = {}): Promise<Tunnel> {
  return await startTunnel(readServerOptions(options), extras);
}

/**
 * Starts the side that dials. Settles when the UDP port is bound; the server may come later.
 *
 * @throws OptionsError ERR_OPTIONS with every problem at once; TunnelError ERR_TLS, ERR_RESOLVE, ERR_UDP_BIND.
 */
export async function startClient(options: ClientOptions, extras: StartExtras = {}): Promise<Tunnel> {
  return await startTunnel(readClientOptions(options), extras);
}

/** Starts either side from settings that have been read. */
export async function startTunnel(read: Settings, extras: StartExtras): Promise<Tunnel> {
  const settings = await resolveOwnAddresses(read, extras.network?.resolve.bind(extras.network) ?? resolve);
  const counters = new Counters();
  const events = new EventSource(extras.onEvent);
  const plain = extras.network ?? (await openBunNetwork(settings, await openCertificates(settings, events)));
  const network = authenticated(plain, settings, counters, events);
  const Mode = settings.perSource ? SessionTunnel : PeerTunnel;
  const tunnel = new Mode(settings, network, counters, events, extras.trace);
  await tunnel.open();
  return tunnel;
}

/** Loaded only where it is asked for. */
async function openCertificates(settings: Settings, events: EventSource): Promise<Certificates | undefined> {
  if (!settings.tls) return undefined;
  const { Certificates } = await import("../net/tls/certificates.ts");
  try {
    return new Certificates(settings, (message) => events.report({ type: "certificate warning", message }));
  } catch (error) {
    return failAs("ERR_TLS")(error);
  }
}
