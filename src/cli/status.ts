/** `--status`: how the tunnels are, live on the last lines of a terminal, else as a line every few seconds. */

import { Writable } from "node:stream";
import { redactText } from "../observe/redact.ts";
import type { Observable, TunnelStats, Tunnels } from "../observe/stats.ts";
import { beginning, statusLine, statusLines } from "../observe/stats-lines.ts";
import { setStatusLine, writePending, writeText } from "./log.ts";

const LIVE_MS = 1000;
const PLAIN_MS = 5000;

/** What was seen of each tunnel last: rates are of the time since. */
class Sampler {
  readonly #tunnels: Tunnels;
  #seen = new WeakMap<Observable, TunnelStats>();

  constructor(tunnels: Tunnels) {
    this.#tunnels = tunnels;
  }

  *take(): Generator<[name: string, now: TunnelStats, before: TunnelStats]> {
    for (const [name, tunnel] of this.#tunnels()) {
      const now = tunnel.stats();
      const before = this.#seen.get(tunnel) ?? beginning(now);
      this.#seen.set(tunnel, now);
      yield [name, now, before];
    }
  }
}

/** Hands out a line for each tunnel every few seconds. @returns ends it. */
export function reportStatus(tunnels: Tunnels, report: (name: string, line: string) => void): () => void {
  const sampler = new Sampler(tunnels);
  const timer = setInterval(() => {
    for (const [name, now, before] of sampler.take()) report(name, statusLine(now, before));
  }, PLAIN_MS);
  return () => clearInterval(timer);
}

export interface LiveStatusOptions {
  /** Whether each tunnel's lines begin with its name. */
  readonly named: boolean;
  readonly redact: boolean;
}

/** Keeps a few lines for each tunnel below everything else on the terminal. @returns ends it, and leaves the last ones there. */
export async function showStatus(tunnels: Tunnels, options: LiveStatusOptions): Promise<() => void> {
  const { createLogUpdate } = await import("log-update");
  const draw = createLogUpdate(new Terminal(), { showCursor: true });
  const sampler = new Sampler(tunnels);
  let text = "";
  const footer = { clear: () => draw.clear(), draw: () => draw(text) };
  const refresh = () => {
    if (writePending()) return;
    const shown = [...sampler.take()].flatMap(([name, now, before]) => {
      const lines = statusLines(now, before).map((line) => `  ${line}`);
      return options.named ? [name, ...lines] : lines;
    });
    text = options.redact ? redactText(shown.join("\n")) : shown.join("\n");
    draw(text);
  };
  setStatusLine(footer);
  refresh();
  const timer = setInterval(refresh, LIVE_MS);
  return () => {
    clearInterval(timer);
    setStatusLine(undefined);
    draw.done();
  };
}

/** stderr, in one queue with the log lines, so that lines and the status keep their order. */
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
