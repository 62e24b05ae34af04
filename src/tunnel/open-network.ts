/** What every tunnel and channel begins with: its network, with TLS and the proof of a secret where they are asked for. */

import { TunnelError } from "../errors.ts";
import { openBunNetwork, resolve } from "../net/bun/network.ts";
import { systemClock } from "../net/clock.ts";
import { type Network, networkFailure } from "../net/network.ts";
import type { SocketOptions } from "../net/socket-options.ts";
import type { Certificates, TlsFiles } from "../net/tls/certificates.ts";
import { Counters } from "../observe/counters.ts";
import { type EventListener, EventSource } from "../observe/events.ts";
import type { Settings } from "../options/settings.ts";
import { authenticated } from "./authenticated.ts";
import { wrapNetError } from "./fail-as.ts";
import { ownAddresses } from "./own-addresses.ts";

/** What of the settings has to do with the network. */
type NetworkSettings = Pick<Settings, keyof SocketOptions | keyof TlsFiles | "tls" | "secret">;

interface Surroundings {
  /** Another network than the real one, for tests. */
  readonly network?: Network | undefined;
  /** Told of every event, from the first on. */
  readonly listeners: readonly (EventListener | undefined)[];
}

interface Opened<Given> {
  readonly settings: Given;
  readonly network: Network;
  readonly counters: Counters;
  readonly events: EventSource;
}

/** @throws TunnelError ERR_RESOLVE, ERR_TLS, ERR_PERMISSION. */
export async function openNetwork<Given extends NetworkSettings>(
  settings: Given,
  { network: given, listeners }: Surroundings,
): Promise<Opened<Given>> {
  const counters = new Counters();
  const clock = given?.clock ?? systemClock;
  const events = new EventSource(() => clock.now());
  for (const listener of listeners) if (listener !== undefined) events.addListener(listener);
  const plain = given ?? (await openPlainNetwork(settings, events));
  return { settings, network: authenticated(plain, settings, counters, events), counters, events };
}

async function openPlainNetwork(settings: NetworkSettings, events: EventSource): Promise<Network> {
  const certificates = await openCertificates(settings, events);
  const { tcpBind, family } = settings;
  const from = tcpBind === undefined ? undefined : await ownAddresses({ resolve }, tcpBind, family);
  return await openBunNetwork({ ...settings, tcpBind: from }, certificates).catch(
    wrapNetError("ERR_PERMISSION"),
  );
}

/** Loaded only where it is asked for. */
async function openCertificates(
  settings: NetworkSettings,
  events: EventSource,
): Promise<Certificates | undefined> {
  if (!settings.tls) return undefined;
  const { Certificates } = await import("../net/tls/certificates.ts");
  try {
    return new Certificates(settings, (message) => events.report({ type: "certificate warning", message }));
  } catch (error) {
    // Not ERR_PERMISSION when a file may not be read: the message says which one, and what to do.
    throw new TunnelError("ERR_TLS", networkFailure(error).message, { cause: error });
  }
}
