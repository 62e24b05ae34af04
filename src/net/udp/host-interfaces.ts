import { type NetworkInterfaceInfo, networkInterfaces } from "node:os";
import { errorCode } from "../network.ts";

/** The addresses of each network interface of this host, by the interface's name. */
export type HostInterfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

/**
 * This host's network interfaces that are up. None where this process may not ask for them (systemd's
 * RestrictAddressFamilies= without AF_NETLINK): few tunnels need them.
 */
export function hostInterfaces(read: () => HostInterfaces = networkInterfaces): HostInterfaces {
  try {
    return read();
  } catch (error) {
    if (errorCode(error) === "ERR_SYSTEM_ERROR") return {};
    throw error;
  }
}
