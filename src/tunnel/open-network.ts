/**
 * The first step of every tunnel and channel: opens its network. TLS and the shared secret are put on TCP
 * here, so that the rest of the program sees only connections that have passed both.
 */

import { AuthenticatedTransport } from "../auth/authenticated-transport.ts";
import { TunnelError } from "../errors.ts";
import { openBunNetwork, resolve } from "../net/bun/network.ts";
import { systemClock } from "../net/clock.ts";
import { type HostNetwork, type Network, networkFailure } from "../net/network.ts";
import type { StreamTransport } from "../net/stream-transport.ts";
import type { SocketOptions } from "../net/system-sockets.ts";
import { TimeSlice } from "../net/time-slice.ts";
import type { Certificates, TlsFiles } from "../net/tls/certificates.ts";
import { Counters } from "../observe/counters.ts";
import { EventReporter } from "../observe/event-reporter.ts";
import type { EventListener } from "../observe/events.ts";
import type { Settings } from "../options/settings.ts";
import { Rejections } from "./access/accept-policy.ts";
import { localAddressesOf } from "./local-bind.ts";
import { wrapNetError } from "./start-errors.ts";

/** The settings that concern the network. */
type NetworkSettings = Pick<Settings, keyof SocketOptions | keyof TlsFiles | "tls" | "secret">;

/** An open network, and what a tunnel reports on it. */
export interface OpenNetwork<Given> {
  readonly settings: Given;
  readonly network: Network;
  /** TCP, with TLS and the shared secret where the settings ask for them. */
  readonly transport: StreamTransport;
  readonly counters: Counters;
  readonly events: EventReporter;
  /** Undefined without TLS. */
  readonly certificates: Certificates | undefined;
}

/**
 * Opens the network for a tunnel with these settings.
 *
 * @param listeners receive every event from the first on.
 * @param given replaces the real network in tests.
 * @throws TunnelError ERR_RESOLVE, ERR_TLS, ERR_PERMISSION.
 */
export async function openNetwork<Given extends NetworkSettings>(
  settings: Given,
  listeners: readonly (EventListener | undefined)[],
  given?: HostNetwork,
): Promise<OpenNetwork<Given>> {
  const counters = new Counters();
  const clock = given?.clock ?? systemClock;
  const slice = TimeSlice.of(clock);
  const events = new EventReporter(() => slice.now());
  for (const listener of listeners) if (listener !== undefined) events.addListener(listener);
  const certificates = given === undefined ? await openCertificates(settings, events) : undefined;
  const network = given ?? (await openHostNetwork(settings, certificates));
  const { secret } = settings;
  if (secret?.exposed !== undefined) events.report({ type: "secret exposed", ...secret.exposed });
  const rejections = new Rejections(counters, events);
  const onAuthFailed = rejections.onRejected.bind(rejections);
  const transport =
    secret === undefined ? network : new AuthenticatedTransport(network, { secret, clock, onAuthFailed });
  return { settings, network, transport, counters, events, certificates };
}

/** Reads the certificates again, if there are any, and reports the result. A failure keeps the old ones. */
export function reloadCertificates({ certificates, events }: OpenNetwork<unknown>): void {
  if (certificates === undefined) return;
  try {
    certificates.reload();
    events.report({ type: "certificates reloaded" });
  } catch (error) {
    events.report({ type: "certificate reload failed", message: networkFailure(error).message });
  }
}

async function openHostNetwork(
  settings: NetworkSettings,
  certificates: Certificates | undefined,
): Promise<HostNetwork> {
  const { tcpBind, family } = settings;
  const from = tcpBind === undefined ? undefined : await localAddressesOf({ resolve }, tcpBind, family);
  return await openBunNetwork({ ...settings, tcpBind: from }, certificates).catch(
    wrapNetError("ERR_PERMISSION"),
  );
}

/** Imports the code for certificates only where TLS is used. */
async function openCertificates(
  settings: NetworkSettings,
  events: EventReporter,
): Promise<Certificates | undefined> {
  if (!settings.tls) return undefined;
  const { Certificates } = await import("../net/tls/certificates.ts");
  try {
    return new Certificates(settings, (message) => events.report({ type: "certificate warning", message }));
  } catch (error) {
    // ERR_TLS even when a file may not be read: the message names the file and the remedy.
    throw new TunnelError("ERR_TLS", networkFailure(error).message, { cause: error });
  }
}
