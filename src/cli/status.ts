/**
 * `--status`: live lines at the bottom of a terminal; elsewhere one log line for each tunnel every few
 * seconds.
 */

import { Writable } from "node:stream";
import type { Redactor } from "../observe/redact.ts";
import type { Observable, TunnelStats, Tunnels } from "../observe/stats.ts";
import { atStart, statusLine, statusLines } from "../observe/stats-lines.ts";
import { setStatusLine, writePending, writeText } from "./log.ts";

const LIVE_MS = 1000;
const LOG_MS = 5000;

/** Takes snapshots of the tunnels, each with the one before: rates refer to the time between the two. */
class Sampler {
  readonly #tunnels: Tunnels;
  readonly #last = new WeakMap<Observable, TunnelStats>();

  constructor(tunnels: Tunnels) {
    this.#tunnels = tunnels;
  }

  *sample(): Generator<[name: string, now: TunnelStats, before: TunnelStats]> {
    for (const [name, tunnel] of this.#tunnels()) {
      const now = tunnel.stats();
      const before = this.#last.get(tunnel) ?? atStart(now);
      this.#last.set(tunnel, now);
      yield [name, now, before];
    }
  }
}

/** Passes a line for each tunnel to `log` every few seconds. @returns a function that stops it. */
export function logStatus(tunnels: Tunnels, log: (name: string, line: string) => void): () => void {
  const sampler = new Sampler(tunnels);
  const timer = setInterval(() => {
    for (const [name, now, before] of sampler.sample()) log(name, statusLine(now, before));
  }, LOG_MS);
  return () => clearInterval(timer);
}

export interface LiveStatusOptions {
  /** Whether each tunnel's lines begin with its name. */
  readonly named: boolean;
  /** Hides hosts. */
  readonly redactor: Redactor | undefined;
}

/**
 * Shows a few lines for each tunnel below all other lines of the terminal.
 *
 * @returns a function that stops it and leaves the last lines on the terminal.
 */
export async function showStatus(tunnels: Tunnels, options: LiveStatusOptions): Promise<() => void> {
  const { createLogUpdate } = await import("log-update");
  const draw = createLogUpdate(new Terminal(), { showCursor: true });
  const sampler = new Sampler(tunnels);
  let text = "";
  const refresh = () => {
    if (writePending()) return;
    const shown = [...sampler.sample()].flatMap(([name, now, before]) => {
      const lines = statusLines(now, before).map((line) => `  ${options.redactor?.text(line) ?? line}`);
      return options.named ? [name, ...lines] : lines;
    });
    text = shown.join("\n");
    draw(text);
  };
  setStatusLine({ clear: () => draw.clear(), draw: () => draw(text) });
  refresh();
  const timer = setInterval(refresh, LIVE_MS);
  return () => {
    clearInterval(timer);
    setStatusLine(undefined);
    draw.done();
  };
}

/** Writes to stderr through the queue of the log lines, so that lines and status keep their order. */
class Terminal extends Writable {
  readonly isTTY = true;

  get columns(): number {
    return process.stderr.columns;
  }

  get rows(): number {
    return process.stderr.rows;
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    writeText(chunk.toString());
    done();
  }
}
