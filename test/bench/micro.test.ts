import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const RUN = join(import.meta.dir, "../../bench/micro/run.ts");

async function run(...options: string[]) {
  const process_ = Bun.spawn([process.execPath, RUN, "--tiny", ...options], {
    stdout: "pipe",
    stderr: "pipe",
    env: { ...process.env, NO_COLOR: "1" },
  });
  const [stdout, stderr] = await Promise.all([process_.stdout.text(), process_.stderr.text()]);
  return { exitCode: await process_.exited, stdout, stderr };
}

test("every micro benchmark runs with its naive counterpart, and the JSON has the figures of the table", async () => {
  const folder = mkdtempSync(join(tmpdir(), "udptunnel-micro-"));
  try {
    const file = join(folder, "micro.json");
    const { exitCode, stdout, stderr } = await run("--sizes", "0,172,mix", "--json", file);
    expect([exitCode, stderr]).toEqual([0, ""]);
    const report = await Bun.file(file).json();
    expect(report).toMatchObject({ kind: "micro", tiny: true, machine: { bun: Bun.version } });

    const benches = [...new Bun.Glob("*.bench.ts").scanSync(join(RUN, ".."))].length;
    expect(report.rows).toHaveLength(benches * 3);
    const names = new Set(report.rows.map((row: { bench: string }) => row.bench));
    expect(names.size).toBe(benches);
    for (const name of ["header", "decoder", "queue", "grouping", "session-lookup", "tunnel"])
      expect([...names]).toContain(name);

    for (const row of report.rows) {
      for (const measured of [row.ours, row.naive]) {
        expect(measured.ns).toBeGreaterThan(0);
        expect(measured.datagramsPerSecond).toBeCloseTo(1e9 / measured.ns);
        expect(measured.bytesPerSecond > 0).toBe(row.size !== "0");
        expect(measured.allocatedBytes).toBeGreaterThanOrEqual(0);
      }
      expect(row.ratio).toBeCloseTo(row.naive.ns / row.ours.ns);
      expect(stdout).toContain(row.naive.ns.toFixed(1));
      expect(stdout).toContain("ours ns  naive ns  naive / ours ns");
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.each([
  [
    ["--only", "nothing"],
    "no benchmark is named nothing. The benchmarks are: decoder, grouping, header, queue, session-lookup, tunnel",
  ],
  [["--sizes", "1,65508"], 'a payload size must be 0 to 65507 or mix, not "65508"'],
])("%p is refused before anything is measured", async (options, message) => {
  const { exitCode, stdout, stderr } = await run(...options);
  expect([exitCode, stdout]).toEqual([2, ""]);
  expect(stderr.trim()).toStartWith(message);
});

test("a datagram leaves nothing on the heap", async () => {
  const waste = Bun.spawn([process.execPath, join(RUN, "../waste.ts"), "--datagrams", "200000"], {
    stdout: "pipe",
    stderr: "inherit",
  });
  expect(await waste.stdout.text()).toMatch(/^200000 datagrams of 172 bytes: \d+ ns each, .*limit: 1\)\n$/);
  expect(await waste.exited).toBe(0);
});

test("refused datagrams are compared with accepted ones, for each reason", async () => {
  const refusal = Bun.spawn([process.execPath, join(RUN, "../refusal.ts"), "--tiny"], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const [, ...rows] = (await refusal.stdout.text()).trim().split("\n");
  expect(rows.map((row) => row.split(/ {2,}/, 2).join(": "))).toEqual([
    "peer4: wrong source",
    "peer6: wrong source",
    "anySource: loop",
    "sessionServer: wrong source",
    "sessionServer: wrong port",
    "sessionSources: wrong source",
    "sessionClient: session limit",
  ]);
  expect(await refusal.exited).toBe(0);
});
