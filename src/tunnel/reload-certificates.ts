/** Reading certificates again while a tunnel runs. */

import { NetError, type Network } from "../net/network.ts";
import type { EventSource } from "../observe/events.ts";

/** Reads them again, and tells how that went: what cannot be used changes nothing. */
export function reloadCertificates(network: Network, events: EventSource): void {
  if (network.reloadCertificates === undefined) return;
  try {
    network.reloadCertificates();
    events.report({ type: "certificates reloaded" });
  } catch (error) {
    if (!(error instanceof NetError)) throw error;
    events.report({ type: "certificates kept", message: error.message });
  }
}
