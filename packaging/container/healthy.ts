/** The container's health check: exit code 0 when the program's metrics port says that the tunnel is up, else 1. */

const { UDPTUNNEL_METRICS = "" } = process.env;
const [, host = "", port] = /^(?:(.*)[/:])?(\d+)$/.exec(UDPTUNNEL_METRICS) ?? [];
const bare = host.replace(/^\[(.*)\]$/, "$1");
const anywhere = bare === "" || bare === "0.0.0.0" || bare === "::";
const at = anywhere ? "127.0.0.1" : bare.includes(":") ? `[${bare}]` : bare;

const response = await fetch(`http://${at}:${port}/healthz`).catch(() => undefined);
process.exitCode = response?.ok ? 0 : 1;

export {};
