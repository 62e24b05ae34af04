/** `--metrics`: HTTP for monitoring. It tells what the counters say and changes nothing. */

import packageJson from "../../package.json" with { type: "json" };
import { TunnelError } from "../errors.ts";
import { formatEndpoint } from "../net/endpoint.ts";
import { errorCode } from "../net/network.ts";
import type { Metrics } from "../observe/metrics.ts";
import { redact } from "../observe/redact.ts";
import { isHealthy, type TunnelStats, type Tunnels } from "../observe/stats.ts";

const LOOPBACK = "127.0.0.1";

export interface MetricsServerOptions {
  /** The address or the name to listen on; loopback, when missing. */
  readonly host?: string | undefined;
  readonly port: number;
  /** Hides addresses in `/stats`. */
  readonly redact: boolean;
}

/**
 * Serves `/metrics`, `/healthz` and `/stats`. A health check succeeds while every tunnel does its work.
 *
 * @throws TunnelError ERR_LISTEN when the port cannot be had.
 */
export function serveMetrics(tunnels: Tunnels, options: MetricsServerOptions): Bun.Server<undefined> {
  const hostname = options.host ?? LOOPBACK;
  const { port } = options;
  let metrics: Promise<Metrics> | undefined;
  const allStats = () => [...tunnels()].map(([name, tunnel]) => [name, tunnel.stats()] as const);
  try {
    return Bun.serve({
      hostname,
      port,
      reusePort: false,
      routes: {
        "/metrics": {
          GET: async () => {
            metrics ??= loadMetrics(tunnels);
            const { contentType, ...rest } = await scrape(await metrics);
            return new Response(rest.text, { headers: { "Content-Type": contentType } });
          },
        },
        "/healthz": {
          GET: () => {
            const all = allStats();
            const healthy = all.length > 0 && all.every(([, stats]) => isHealthy(stats));
            const text = all.map(([name, stats]) => `${name}: ${healthOf(stats)}\n`).join("");
            return new Response(text, { status: healthy ? 200 : 503 });
          },
        },
        "/stats": {
          GET: () => {
            const all = Object.fromEntries(allStats());
            return Response.json({ tunnels: options.redact ? redact(all) : all });
          },
        },
      },
      fetch: () => new Response("not found\n", { status: 404 }),
      error: () => new Response("internal error\n", { status: 500 }),
    });
  } catch (error) {
    const code = errorCode(error);
    const at = formatEndpoint({ address: hostname, port });
    throw new TunnelError("ERR_LISTEN", `cannot serve metrics on ${at}: ${code}`, { cause: error });
  }
}

function healthOf({ state, sendFailure }: TunnelStats): string {
  return sendFailure === undefined ? state : `${state}, cannot send to UDP (${sendFailure})`;
}

/** prom-client is loaded by the first scrape: no start of a tunnel waits for it. */
async function loadMetrics(tunnels: Tunnels): Promise<Metrics> {
  const { Metrics } = await import("../observe/metrics.ts");
  return new Metrics(tunnels, packageJson.version);
}

async function scrape(metrics: Metrics): Promise<{ text: string; contentType: string }> {
  return { text: await metrics.text(), contentType: metrics.contentType };
}
