/** A progress bar on a terminal; a line for every cell elsewhere. */

import type { WriteStream } from "node:tty";

const WIDTH = 24;

export class Progress {
  readonly #out: WriteStream;
  readonly #startedMs = performance.now();

  constructor(out: WriteStream) {
    this.#out = out;
  }

  show(label: string, done: number, total: number): void {
    const elapsedS = (performance.now() - this.#startedMs) / 1000;
    const leftS = done === 0 ? undefined : (elapsedS / done) * (total - done);
    const left = leftS === undefined ? "" : ` ${Math.ceil(leftS)} s left`;
    if (!this.#out.isTTY) {
      if (label !== "") this.#out.write(`${done + 1}/${total} ${label}\n`);
      return;
    }
    const filled = Math.round((WIDTH * done) / Math.max(1, total));
    const line = `${"█".repeat(filled)}${"░".repeat(WIDTH - filled)} ${done}/${total}${left}  ${label}`;
    this.#out.write(`\r\x1b[K${line.slice(0, (this.#out.columns || 80) - 1)}`);
  }

  end(): void {
    if (this.#out.isTTY) this.#out.write("\r\x1b[K");
  }
}
