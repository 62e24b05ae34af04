/** `--metrics`: HTTP for monitoring. It reports what the counters hold and changes nothing. */

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
import { redact } from "../observe/redact.ts";
import { isHealthy, type TunnelStats, type Tunnels } from "../observe/stats.ts";
import { isAllowedHost } from "./host-header.ts";
import { HttpListener } from "./http-listener.ts";
import { droppedLines } from "./log.ts";

const LOOPBACK = ["127.0.0.1", "::1"];
/** The errors when the host lacks an address or a whole family; Bun 1.4.5 has no code for the latter. */
const LACKS = new Set(["EADDRNOTAVAIL", "EAFNOSUPPORT", "UNKNOWN"]);

export interface MetricsServerOptions {
  /** The address or the name to listen on; loopback, when missing. */
  readonly host?: string | undefined;
  readonly port: number;
  /** Hides addresses in `/stats`. */
  readonly redact: boolean;
}

interface Answer {
  readonly status?: number;
  readonly type?: string;
  readonly text: string;
}

/**
 * Serves `/metrics`, `/healthz` and `/stats`. A health check succeeds while every tunnel does its work.
 *
 * @returns a function that stops it.
 * @throws TunnelError ERR_RESOLVE; ERR_LISTEN when the port cannot be bound.
 */
export async function serveMetrics(tunnels: Tunnels, options: MetricsServerOptions): Promise<() => void> {
  const lag = new EventLoopLag(systemClock);
  const pages = new Pages(tunnels, options.redact, {
    version: packageJson.version,
    eventLoopLag: lag.histogram,
    droppedLogLines: droppedLines,
  });
  const listener = new HttpListener((request, response) => {
    const { headers, socket } = request;
    if (isAllowedHost(headers.host, socket.localAddress, options.host)) pages.serve(request, response);
    else
      send(response, { status: 403, text: "this Host is not allowed: ask for localhost or the address\n" });
  });
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

const ADVICE: Readonly<Record<string, string>> = {
  EADDRINUSE: "another program has that port: give another one with --metrics",
  EADDRNOTAVAIL: "this host has no such address: give one of its own with --metrics",
  EACCES: "ports below 1024 need a privilege: give a higher one with --metrics",
};

/** Listens on each of the addresses that this host has. @throws TunnelError when it has none, or one is in use. */
async function listenOnEach(
  listener: HttpListener,
  addresses: readonly string[],
  port: number,
): Promise<void> {
  let lacking: TunnelError | undefined;
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
      if (!LACKS.has(code)) throw failure;
      lacking ??= failure;
    }
  }
  if (bound === 0 && lacking !== undefined) throw lacking;
}

/** The answer at each path. */
class Pages {
  readonly #tunnels: Tunnels;
  readonly #redact: boolean;
  readonly #figures: ProcessFigures;
  readonly #paths: Readonly<Record<string, () => Answer>> = {
    "/metrics": () => ({ text: metricsText(this.#tunnels, this.#figures), type: CONTENT_TYPE }),
    "/healthz": () => this.#health(),
    "/stats": () => this.#stats(),
  };

  constructor(tunnels: Tunnels, redactAddresses: boolean, figures: ProcessFigures) {
    this.#tunnels = tunnels;
    this.#redact = redactAddresses;
    this.#figures = figures;
  }

  serve({ method, url = "" }: IncomingMessage, response: ServerResponse): void {
    const reading = method === "GET" || method === "HEAD";
    const path = url.replace(/\?.*$/, "");
    const page = reading && Object.hasOwn(this.#paths, path) ? this.#paths[path] : undefined;
    try {
      send(response, page?.() ?? { status: 404, text: "not found\n" });
    } catch {
      send(response, { status: 500, text: "internal error\n" });
    }
  }

  #health(): Answer {
    const all = this.#all();
    const healthy = all.length > 0 && all.every(([, stats]) => isHealthy(stats));
    const text = all.map(([name, stats]) => `${name}: ${healthOf(stats)}\n`).join("");
    return { text, status: healthy ? 200 : 503 };
  }

  #stats(): Answer {
    const all = Object.fromEntries(this.#all());
    const tunnels = this.#redact ? redact(all) : all;
    return { text: JSON.stringify({ tunnels }), type: "application/json" };
  }

  #all(): (readonly [name: string, stats: TunnelStats])[] {
    return [...this.#tunnels()].map(([name, tunnel]) => [name, tunnel.stats()] as const);
  }
}

function send(
  response: ServerResponse,
  { status = 200, type = "text/plain; charset=utf-8", text }: Answer,
): void {
  response.writeHead(status, { "Content-Type": type, "Content-Length": Buffer.byteLength(text) });
  response.end(text);
}

function healthOf({ state, sendFailure }: TunnelStats): string {
  return sendFailure === undefined ? state : `${state}, cannot send to UDP (${sendFailure})`;
}
