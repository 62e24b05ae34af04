/**
 * The container's health check. The exit status is 0 if /healthz on the metrics port reports success, else 1.
 */

const { UDPTUNNEL_METRICS = "" } = process.env;
const [, host = "", port] = /^(?:(.*)[/:])?(\d+)$/.exec(UDPTUNNEL_METRICS) ?? [];
const address = host.replace(/^\[(.*)\]$/, "$1");
const isWildcard = ["", "0.0.0.0", "::"].includes(address);
const own = address.includes(":") ? `[${address}]` : address;
// Both families for a wildcard, because a container may not have IPv4.
const hosts = isWildcard ? ["127.0.0.1", "[::1]"] : [own];

process.exitCode = 1;
for (const each of hosts) {
  const response = await fetch(`http://${each}:${port}/healthz`).catch(() => undefined);
  if (response?.ok) process.exitCode = 0;
}

export {};
