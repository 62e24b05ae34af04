/** `--metrics`: HTTP for monitoring. It reads snapshots of the tunnels and changes nothing. */

import type { IncomingMessage, ServerResponse } from "node:http";
import packageJson from "../../package.json" with { type: "json" };
import { TunnelError } from "../errors.ts";
import { resolve } from "../net/bun/network.ts";
import { systemClock } from "../net/clock.ts";
import { formatEndpoint } from "../net/endpoint.ts";
import { errorCode } from "../net/network.ts";
import { EventLoopLag } from "../observe/event-loop-lag.ts";
import { metricsText, type ProcessFigures } from "../observe/metrics.ts";
import { CONTENT_TYPE } from "../observe/prometheus-text.ts";
import type { Redactor } from "../observe/redact.ts";
import { isHealthy, type TunnelStats, type Tunnels } from "../observe/stats.ts";
import { COMMAND_LINE } from "../options/input-style.ts";
import { type Answer, HttpListener, respond } from "./http-listener.ts";
import { droppedLines } from "./log.ts";

const LOOPBACK = ["127.0.0.1", "::1"];
/**
 * The errors of a host that lacks an address or a whole family. Bun 1.4.5 has no code for a missing family.
 */
const MISSING_ADDRESS = new Set(["EADDRNOTAVAIL", "EAFNOSUPPORT", "UNKNOWN"]);

export interface MetricsServerOptions {
  /** The address or the name to listen on. Default: loopback. */
  readonly host?: string | undefined;
  readonly port: number;
  /** Hides hosts in `/stats`. */
  readonly redactor: Redactor | undefined;
}

/**
 * Serves `/metrics`, `/healthz` and `/stats`.
 *
 * @returns a function that stops it.
 * @throws TunnelError ERR_RESOLVE; ERR_LISTEN when the port cannot be bound.
 */
export async function serveMetrics(tunnels: Tunnels, options: MetricsServerOptions): Promise<() => void> {
  const lag = new EventLoopLag(systemClock);
  const figures = {
    version: packageJson.version,
    eventLoopLag: lag.histogram,
    droppedLogLines: droppedLines,
  };
  const pages = pagesOf(tunnels, options.redactor, figures);
  const listener = new HttpListener((request, response) => answer(pages, request, response), options.host);
  const stop = () => {
    lag.stop();
    listener.close();
  };
  try {
    await listenOnEach(listener, await addressesOf(options.host), options.port);
  } catch (error) {
    stop();
    throw error;
  }
  return stop;
}

async function addressesOf(host: string | undefined): Promise<string[]> {
  if (host === undefined) return LOOPBACK;
  const found = await resolve(host, undefined).catch((error) => {
    throw new TunnelError("ERR_RESOLVE", (error as Error).message, { cause: error });
  });
  return [...new Set(found)];
}

const METRICS = COMMAND_LINE.nameOf("metrics");
const ADVICE: Readonly<Record<string, string>> = {
  EADDRINUSE: `another program has that port: give another one with ${METRICS}`,
  EADDRNOTAVAIL: `this host has no such address: give one of its own with ${METRICS}`,
  EACCES: `ports below 1024 need a privilege: give a higher one with ${METRICS}`,
};

/**
 * Listens on each of the addresses that this host has.
 *
 * @throws TunnelError when it has none, or one is in use.
 */
async function listenOnEach(
  listener: HttpListener,
  addresses: readonly string[],
  port: number,
): Promise<void> {
  let missing: TunnelError | undefined;
  let bound = 0;
  for (const address of addresses) {
    try {
      await listener.listen(address, port);
      bound++;
    } catch (error) {
      const code = errorCode(error);
      const advice = ADVICE[code] === undefined ? "" : `; ${ADVICE[code]}`;
      const message = `cannot serve metrics on ${formatEndpoint({ address, port })}: ${code}${advice}`;
      const failure = new TunnelError("ERR_LISTEN", message, { cause: error });
      if (!MISSING_ADDRESS.has(code)) throw failure;
      missing ??= failure;
    }
  }
  if (bound === 0 && missing !== undefined) throw missing;
}

/** What answers each path. */
type Pages = Readonly<Record<string, () => Answer>>;
type Snapshots = readonly (readonly [name: string, stats: TunnelStats])[];

function pagesOf(tunnels: Tunnels, redactor: Redactor | undefined, figures: ProcessFigures): Pages {
  const snapshots = (): Snapshots => [...tunnels()].map(([name, tunnel]) => [name, tunnel.stats()]);
  return {
    "/metrics": () => ({ text: metricsText(tunnels, figures), type: CONTENT_TYPE }),
    "/healthz": () => health(snapshots()),
    "/stats": () => {
      const all = Object.fromEntries(snapshots());
      const text = JSON.stringify({ tunnels: redactor?.data(all) ?? all });
      return { text, type: "application/json" };
    },
  };
}

/** Status 200 while there is a tunnel and all tunnels are healthy. */
function health(snapshots: Snapshots): Answer {
  const healthy = snapshots.length > 0 && snapshots.every(([, stats]) => isHealthy(stats));
  const lines = snapshots.map(([name, { state, sendFailure }]) => {
    const failure = sendFailure === undefined ? "" : `, cannot send to UDP (${sendFailure})`;
    return `${name}: ${state}${failure}\n`;
  });
  return { text: lines.join(""), status: healthy ? 200 : 503 };
}

function answer(pages: Pages, { method, url = "" }: IncomingMessage, response: ServerResponse): void {
  const isRead = method === "GET" || method === "HEAD";
  const path = url.replace(/\?.*$/, "");
  const page = isRead && Object.hasOwn(pages, path) ? pages[path] : undefined;
  try {
    respond(response, page?.() ?? { status: 404, text: "not found\n" });
  } catch {
    respond(response, { status: 500, text: "internal error\n" });
  }
}
