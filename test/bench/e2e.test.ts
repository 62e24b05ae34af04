/** Runs the end-to-end benchmark with a few hundred datagrams, so that every scenario keeps working. */

import { afterAll, describe, expect, test } from "bun:test";
import { createSocket } from "node:dgram";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Results } from "../../bench/e2e/results.ts";
import { SCENARIOS } from "../../bench/e2e/scenarios/index.ts";
import { CONTROL_SOCKETS, whyNoWireGuard } from "../../bench/e2e/wireguard.ts";

const MAIN = join(import.meta.dir, "../../bench/e2e/main.ts");
const folder = await mkdtemp(join(tmpdir(), "udptunnel-bench-test-"));
afterAll(() => rm(folder, { recursive: true }));

interface Finished {
  status: number;
  output: string;
  errors: string;
}

function start(...words: string[]) {
  return Bun.spawn([process.execPath, MAIN, "--plan", "tiny", ...words], { stdout: "pipe", stderr: "pipe" });
}

async function bench(...words: string[]): Promise<Finished> {
  const child = start(...words);
  const [output, errors, status] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { status, output, errors };
}

describe("every scenario with tiny counts", () => {
  for (const { name, leftOut } of SCENARIOS) {
    const reason = leftOut?.();
    test.skipIf(reason !== undefined)(`${name}${reason ? ` (left out: ${reason})` : ""}`, async () => {
      const path = join(folder, `${name}.json`);
      const { status, errors } = await bench("--only", name, "--relays", "ours", "--json", path);
      expect(errors).not.toContain("bench:");
      expect(status).toBe(0);
      const { samples } = (await Bun.file(path).json()) as Results;
      expect(samples.length).toBeGreaterThan(0);
      for (const { failed, values, scenario } of samples) {
        expect(failed).toBeUndefined();
        expect(scenario).toBe(name);
        expect(Object.values(values ?? {}).filter((value) => !Number.isFinite(value))).toEqual([]);
        const { faults = 0 } = values ?? {};
        expect(faults).toBe(0);
      }
    });
  }
});

test("the scenarios of per-source mode, on a relay that has it", async () => {
  const path = join(folder, "per-source.json");
  const relay = `${process.execPath} ${join(import.meta.dir, "naive-relay.ts")}`;
  const commands = `${relay} server {tcp} {serverApp} {server}/${relay} client {serverHost} {tcp} {client}`;
  const words = ["--relay", `naive=${commands}`, "--per-source", "naive", "--relays", "naive"];
  await bench(...words, "--only", "sources,sessions,neighbours", "--json", path);
  const { samples } = (await Bun.file(path).json()) as Results;
  expect(samples.map(({ detail, failed }) => failed ?? detail)).toEqual([
    ...["1 source", "10 sources"],
    ...["1 session", "10 sessions"],
    ...["alone", "beside a flooding session", "beside 2 flooding sessions"],
    ...["beside a stalled peer", "beside 2 flooding peers"],
  ]);
  for (const { values: { unanswered = 0 } = {}, detail } of samples) {
    if (!detail?.includes("flooding")) expect(unanswered).toBe(0);
  }
});

test("a report has a table for each scenario, charts, and the command that was run", async () => {
  const path = join(folder, "report.json");
  await bench("--only", "flood,rate,latency", "--relays", "ours", "--json", path);
  const report = Bun.spawn([process.execPath, join(MAIN, "../report.ts"), path], { stdout: "ignore" });
  expect(await report.exited).toBe(0);
  const page = await Bun.file(join(folder, "report/README.md")).text();
  expect(page.match(/^\| ---/gm)).toHaveLength(4);
  expect(page).toContain("with `bun run bench --plan tiny --only flood,rate,latency --relays ours`.");
  const charts = [...page.matchAll(/\]\((.+\.svg)\)/g)].map((match) => match[1] as string);
  expect(charts).toEqual([
    ...["loss-172.svg", "latency-1000-first-0.1-s.svg", "latency-1000-0.1-s-to-0.2-s-after-the-start.svg"],
    "cpu.svg",
  ]);
  for (const chart of charts)
    expect(await Bun.file(join(folder, "report", chart)).text()).toStartWith("<svg");
});

describe("WireGuard", () => {
  const reason = whyNoWireGuard();
  const note = reason === undefined ? "" : ` (left out: ${reason})`;

  /** The namespaces and control sockets of a run. */
  function tracesOf(pid: number): string[] {
    const names = ["/run/netns", CONTROL_SOCKETS].flatMap((path) =>
      existsSync(path) ? readdirSync(path) : [],
    );
    return names.filter((name) => name.includes(`-${pid}-`) || name.startsWith(`ub${pid}`));
  }

  test("is left out with one line where its programs are missing", async () => {
    const child = Bun.spawn([process.execPath, MAIN, "--plan", "tiny", "--only", "wireguard"], {
      env: { ...process.env, PATH: "/nonexistent" },
      stdout: "pipe",
      stderr: "ignore",
    });
    expect(await new Response(child.stdout).text()).toContain(
      "\n  wireguard: ip, wireguard-go, wg, iperf3, ping not on the PATH\n",
    );
    expect(await child.exited).toBe(0);
  });

  test.skipIf(reason !== undefined)(`leaves nothing behind after Ctrl-C${note}`, async () => {
    const child = start("--relays", "ours", "--only", "wireguard");
    while (tracesOf(child.pid).length < 5) await Bun.sleep(5); // three namespaces and two sockets
    const family = childrenOf(child.pid);
    child.kill("SIGINT");
    expect(await child.exited).toBe(130);
    await Promise.all(family.map(gone));
    expect(tracesOf(child.pid)).toEqual([]);
  });

  test.skipIf(reason !== undefined)(`leaves nothing behind after a failure${note}`, async () => {
    const path = join(folder, "wireguard-fails.json");
    const mute = `${process.execPath} ${join(import.meta.dir, "naive-relay.ts")}`;
    const commands = `${mute} server {tcp} 127.0.0.1 {server}/${mute} client {serverHost} {tcp} {client}`;
    const child = start(
      ...["--relay", `mute=${commands}`, "--relays", "mute", "--only", "wireguard", "--json", path],
    );
    expect(await child.exited).toBe(0);
    expect(tracesOf(child.pid)).toEqual([]);
    const { samples } = (await Bun.file(path).json()) as Results;
    expect(samples.map(({ relay, failed }) => [relay, failed?.startsWith("ping (status 1)")])).toEqual([
      ["mute", true],
      ["nothing between", undefined],
    ]);
  });
});

describe("failures", () => {
  test("a relay that exits is a failed row with the last lines of its output", async () => {
    const path = join(folder, "dies.json");
    const dies = `${process.execPath} -e 'console.error("out of strength"); process.exit(3)' {tcp}`;
    const words = ["--relay", `weak=${dies}/${dies}`, "--relays", "weak", "--only", "flood"];
    const { status, output } = await bench(...words, "--json", path);
    expect(status).toBe(0);
    expect(output).toContain("out of strength");
    const { samples } = (await Bun.file(path).json()) as Results;
    expect(samples[0]?.failed).toBe("weak server (status 3): out of strength");
  });

  test("a port in use is an error with its number", async () => {
    const holder = createSocket("udp4");
    await new Promise<void>((resolve) => holder.bind(0, "0.0.0.0", resolve));
    const { port } = holder.address();
    const { status, errors } = await bench("--relays", "ours", "--only", "flood", "--ports", `1,${port},2`);
    holder.close();
    expect(status).toBe(2);
    expect(errors).toContain(`UDP port ${port} is in use`);
  });

  test("Ctrl-C ends all processes and keeps the finished rounds", async () => {
    const path = join(folder, "ended.json");
    const child = start("--relays", "ours", "--only", "instrument,reconnect", "--json", path);
    const family = await grown(child.pid, 3);
    child.kill("SIGINT");
    expect(await child.exited).toBe(130);
    await Promise.all(family.map(gone));
    const { samples } = (await Bun.file(path).json()) as Results;
    expect(samples.map(({ scenario }) => scenario)).toEqual(["instrument"]);
  });

  test("a part of the full plan needs --json", async () => {
    const { status, errors } = await bench("--plan", "full", "--only", "start-up");
    expect(status).toBe(2);
    expect(errors).toContain("--json FILE");
  });

  test("an unknown scenario is an error with all names", async () => {
    const { status, errors } = await bench("--only", "speed");
    expect(status).toBe(2);
    expect(errors).toContain("flood");
  });
});

function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, "latin1")
      .trim()
      .split(" ")
      .filter(Boolean)
      .map(Number),
  );
}

/** Waits until a process has this number of children. There is no event to await. */
async function grown(pid: number, count: number): Promise<number[]> {
  for (;;) {
    const children = childrenOf(pid);
    if (children.length >= count) return children;
    await Bun.sleep(5);
  }
}

/** Waits until a process has ended, or the time limit of the test. */
async function gone(pid: number): Promise<void> {
  for (;;) {
    try {
      if (/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "latin1"))) return;
    } catch {
      return;
    }
    await Bun.sleep(5);
  }
}
