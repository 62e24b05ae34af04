/** A log that nobody reads, such as a pipe whose reader hangs, costs lines. It never stops a tunnel or a signal. */

import { expect, test } from "bun:test";
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { APP_HOST, connectRaw, freeTcpPort, freeUdpPort, TUNNEL_HOST, UdpApp } from "../support/loopback.ts";
import { Program } from "../support/program.ts";
import { until } from "../support/until.ts";

const ENTRY = new URL("../../src/cli/udptunnel.ts", import.meta.url).pathname;
const INTO_PIPE = ["sh", "-c", 'exec "$0" "$@" 2>"$STDERR"', process.execPath, ENTRY];
/** Fewer than a UDP socket has room for. */
const ROUND = 100;

/** A pipe that is full before anybody else writes to it, and that is read only on demand. */
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

  /** Reads what is in it now. */
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

/** Runs a server at -vv whose stderr is stuck, has it carry this many datagrams, and then does the rest. */
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

async function connectWhenUp(port: number) {
  for (;;) {
    try {
      return await connectRaw(port);
    } catch {
      await Bun.sleep(5);
    }
  }
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

test("once it is read again, every line is there or counted in one that says how many are missing", async () => {
  using pipe = new FullPipe();
  await whileStuck(pipe, 10_000, [], async (program) => {
    await until("what was queued", () => {
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
