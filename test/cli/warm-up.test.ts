/** The warm-up: it relays, leaves nothing open, ends when real datagrams arrive, and fails silently. */

import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { UDPTUNNEL } from "../../scripts/running-program.ts";
import { warmUp } from "../../src/cli/warm-up.ts";
import { testNeeding } from "../support/need.ts";
import { Program } from "../support/program.ts";
import { until } from "../support/until.ts";

const PEER = { perSource: false, offload: "auto" } as const;
const PER_SOURCE = { perSource: true, offload: "auto" } as const;
const WITHOUT_OFFLOAD = { perSource: false, offload: "off" } as const;
const ALL = 500;
const never = () => false;

/** The state TIME_WAIT in /proc/net/tcp (linux/tcp_states.h). */
const TIME_WAIT = / [0-9A-F]{8}:[0-9A-F]{4} 06 /;

/** A program that warms up, prints how many pings came back, and ends when nothing is left to do. */
const PROGRAM = `
  const { warmUp } = await import("${new URL("../../src/cli/warm-up.ts", import.meta.url).pathname}");
  console.log(await warmUp({ perSource: false, offload: "auto" }, () => false));
`;

/** Runs that program. @param wrapper a command that runs the command after it. */
function run(...wrapper: string[]) {
  const { stdout, stderr, exitCode } = Bun.spawnSync([...wrapper, process.execPath, "-e", PROGRAM]);
  return { stdout: stdout.toString(), stderr: stderr.toString(), exitCode };
}

for (const [kind, settings] of Object.entries({
  "in peer mode": PEER,
  "in per-source mode": PER_SOURCE,
  "without segment offload": WITHOUT_OFFLOAD,
})) {
  test(`every ping comes back ${kind}, and every descriptor is closed`, async () => {
    await warmUp(settings, never); // opens descriptors that stay for the whole process
    const before = readdirSync("/proc/self/fd").length;
    expect(await warmUp(settings, never)).toBe(ALL);
    expect(readdirSync("/proc/self/fd").length).toBe(before);
  });
}

test("nothing keeps the process running afterwards", () => {
  expect(run()).toEqual({ stdout: `${ALL}\n`, stderr: "", exitCode: 0 });
});

test("it sends no ping after the first real datagram, and opens nothing if that came before", async () => {
  let asked = 0;
  expect(await warmUp(PEER, () => ++asked > 10)).toBe(9);
  expect(asked).toBe(12);
  expect(await warmUp(PEER, () => true)).toBe(0);
});

test("with few descriptors it does nothing", () => {
  const limited = ["sh", "-c", 'ulimit -n 64 && exec "$0" "$@"'];
  expect(run(...limited)).toEqual({ stdout: "0\n", stderr: "", exitCode: 0 });
});

testNeeding("root")("without a loopback interface it does nothing", () => {
  expect(run("unshare", "--net")).toEqual({ stdout: "0\n", stderr: "", exitCode: 0 });
});

testNeeding("root", "ip")(
  "the program warms up once its ports are open, and counts and logs none of it",
  async () => {
    const script = 'ip link set lo up && exec "$0" "$@"';
    const command = ["unshare", "--net", "sh", "-c", script, ...UDPTUNNEL];
    await using server = new Program(["-v", "-s", "127.0.0.1/5000", "127.0.0.1/4000"], command);
    await server.says("listening on TCP 127.0.0.1:5000");
    // The client of the warm-up closed its connection.
    await until("a closed connection", () =>
      TIME_WAIT.test(readFileSync(`/proc/${server.child.pid}/net/tcp`, "latin1")),
    );
    server.child.kill("SIGTERM");
    expect(await server.exited()).toBe(0);
    expect(server.lines.at(-1)).toMatch(
      /, 0 connections; out 0 received, 0 sent, 0 dropped; in 0 received, 0 sent, 0 dropped$/,
    );
    expect(server.errors.match(/127\.0\.0\.2/g)).toBeNull();
  },
);
