/**
 * A log without a reader, such as a pipe whose reader hangs, loses lines. It never blocks a tunnel or a
 * signal.
 */

import { expect, test } from "bun:test";
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  APP_HOST,
  connectWhenUp,
  freeTcpPort,
  freeUdpPort,
  TUNNEL_HOST,
  UdpApp,
} from "../support/loopback.ts";
import { Program } from "../support/program.ts";
import { until } from "../support/until.ts";

const ENTRY = new URL("../../src/cli/udptunnel.ts", import.meta.url).pathname;
const INTO_PIPE = ["sh", "-c", 'exec "$0" "$@" 2>"$STDERR"', process.execPath, ENTRY];
/** Fewer datagrams than fit the buffer of a UDP socket. */
const ROUND = 100;

/** A pipe that is full from the start and is read only on demand. */
class FullPipe implements Disposable {
  readonly path: string;
  text = "";
  readonly #folder = mkdtempSync(join(tmpdir(), "udptunnel-"));
  readonly #fd: number;

  constructor() {
    this.path = join(this.#folder, "stderr");
    Bun.spawnSync(["mkfifo", this.path]);
    this.#fd = openSync(this.path, constants.O_RDWR | constants.O_NONBLOCK);
    untilAgain(() => writeSync(this.#fd, Buffer.alloc(4096, "\n")));
  }

  /** Reads its current content. */
  read(): void {
    const chunk = Buffer.alloc(65_536);
    untilAgain(() => {
      this.text += chunk.toString("utf8", 0, readSync(this.#fd, chunk));
    });
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
    rmSync(this.#folder, { recursive: true });
  }
}

function untilAgain(step: () => void): void {
  try {
    for (;;) step();
  } catch (error) {
    if ((error as { code?: string }).code !== "EAGAIN") throw error;
  }
}

/** Runs a server with -vv whose stderr is blocked, sends datagrams through it, and then calls `rest`. */
async function whileStuck(
  pipe: FullPipe,
  datagrams: number,
  options: string[],
  rest: (program: Program) => Promise<void>,
): Promise<void> {
  const [tcp, udp] = [freeTcpPort(), await freeUdpPort()];
  const args = ["-s", `${TUNNEL_HOST}/${tcp}`, "--bind", TUNNEL_HOST, `${APP_HOST}/${udp}`];
  await using program = new Program(["-vv", ...options, ...args], INTO_PIPE, { STDERR: pipe.path });
  using app = await UdpApp.open(udp);
  using peer = await connectWhenUp(tcp);
  for (let sent = 0; sent < datagrams; sent += ROUND) {
    peer.socket.write(new Uint8Array(2 * ROUND)); // frames without payload
    await until(`${sent + ROUND} datagrams`, () => app.received.length === sent + ROUND);
  }
  await rest(program);
}

test.each([[[]], [["--log", "json"]], [["--status"]]])(
  "a tunnel with %p carries 1,000 datagrams, and SIGTERM ends it",
  async (options) => {
    using pipe = new FullPipe();
    await whileStuck(pipe, 1000, options, async (program) => {
      program.child.kill("SIGTERM");
      expect(await program.exited()).toBe(0);
    });
  },
);

test("when the pipe is read again, each line was written or is counted in a line with the number of missing lines", async () => {
  using pipe = new FullPipe();
  await whileStuck(pipe, 10_000, [], async (program) => {
    await until("the queued lines", () => {
      pipe.read();
      return pipe.text.includes("missing here");
    });
    program.child.kill("SIGTERM");
    expect(await program.exited()).toBe(0);
  });
  pipe.read();
  const missing = [...pipe.text.matchAll(/^udptunnel: (\d+) lines are missing here: /gm)];
  const shown = pipe.text.split("\n").filter((line) => line.includes("inbound: 0 bytes")).length;
  expect(shown).toBeGreaterThan(1000);
  expect(shown).toBeLessThan(10_000);
  expect(missing).toHaveLength(1);
  expect(shown + Number(missing[0]?.[1])).toBe(10_000);
  expect(pipe.text).toEndWith("0 dropped\n");
});
