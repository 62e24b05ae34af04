/** Reading certificates again while a tunnel runs. */

import { type Network, networkFailure } from "../net/network.ts";
import type { EventSource } from "../observe/events.ts";

/** Reads them again, and tells how that went: what cannot be used changes nothing. */
export function reloadCertificates(network: Network, events: EventSource): void {
  if (network.reloadCertificates === undefined) return;
  try {
    network.reloadCertificates();
    events.report({ type: "certificates reloaded" });
  } catch (error) {
    events.report({ type: "certificate reload failed", message: networkFailure(error).message });
  }
}
