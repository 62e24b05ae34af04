/** The container's health check: exit code 0 when the program's metrics port says that the tunnel is up, else 1. */

const { UDPTUNNEL_METRICS = "" } = process.env;
const [, host = "", port] = /^(?:(.*)[/:])?(\d+)$/.exec(UDPTUNNEL_METRICS) ?? [];
const bare = host.replace(/^\[(.*)\]$/, "$1");
const anywhere = bare === "" || bare === "0.0.0.0" || bare === "::";
// A container may have no IPv4.
const places = anywhere ? ["127.0.0.1", "[::1]"] : [bare.includes(":") ? `[${bare}]` : bare];

process.exitCode = 1;
for (const place of places) {
  const response = await fetch(`http://${place}:${port}/healthz`).catch(() => undefined);
  if (response?.ok) process.exitCode = 0;
}

export {};
