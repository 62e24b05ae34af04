/** The names that were given for this host's own addresses, looked up once: sockets are bound to literals. */

import { TunnelError } from "../errors.ts";
import type { Family } from "../net/endpoint.ts";
import type { Settings } from "../options/settings.ts";

type OwnAddresses = Partial<Pick<Settings, "bind" | "tcpBind" | "listen" | "family">>;

/**
 * The same settings with literals for `bind`, `tcpBind` and `listen.address`.
 *
 * @throws TunnelError ERR_RESOLVE.
 */
export async function resolveOwnAddresses<Given extends OwnAddresses>(
  settings: Given,
  resolve: (host: string, family: Family | undefined) => Promise<string[]>,
): Promise<Given> {
  const literal = async (host: string): Promise<string> => {
    try {
      const [address] = await resolve(host, settings.family);
      return address as string;
    } catch (error) {
      throw new TunnelError("ERR_RESOLVE", (error as Error).message, { cause: error });
    }
  };
  const { bind, tcpBind, listen, family } = settings;
  const place = listen?.address ?? (family === 4 ? "0.0.0.0" : undefined);
  return {
    ...settings,
    ...(bind !== undefined && { bind: await literal(bind) }),
    ...(tcpBind !== undefined && { tcpBind: await literal(tcpBind) }),
    ...(listen && place && { listen: { ...listen, address: await literal(place) } }),
  };
}
