/** Checks of the container file that need no container engine. */

import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import packageJson from "../../package.json" with { type: "json" };

const ROOT = join(import.meta.dir, "../..");
const FOLDER = join(ROOT, "packaging/container");

/** Instructions and their arguments. Continued lines are joined. */
const instructions = (await Bun.file(join(FOLDER, "Containerfile")).text())
  .replaceAll(/^#.*\n/gm, "")
  .replaceAll("\\\n", "")
  .split("\n")
  .filter((line) => line.trim() !== "")
  .map((line) => line.match(/^([A-Z]+)\s+(.*)$/)?.slice(1) ?? [line]);

const argumentsOf = (name: string) =>
  instructions.flatMap(([instruction, rest = ""]) => (instruction === name ? [rest] : []));

test("images are pinned, and the build image has the same Bun as the tests", () => {
  const images = argumentsOf("FROM").map((rest) => rest.split(" ")[0]);
  expect(images[0]).toBe(`oven/bun:${packageJson.devDependencies.bun}-slim`);
  for (const image of images) expect(image).toMatch(/^[a-z/]+:[\w.-]+$/);
  expect(images.some((image) => image?.endsWith(":latest"))).toBe(false);
});

test("every copied file exists", () => {
  const local = argumentsOf("COPY").filter((rest) => !rest.startsWith("--from"));
  const files = local.flatMap((rest) => rest.split(/\s+/).slice(0, -1));
  expect(files.length).toBeGreaterThan(4);
  expect(files.filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
});

test("the program runs without root, from its own file, with a health check", () => {
  const last = instructions.findLastIndex(([instruction]) => instruction === "FROM");
  const final = new Map(instructions.slice(last).map(([instruction, rest = ""]) => [instruction, rest]));
  expect(final.get("USER")).toMatch(/^[1-9]\d*:[1-9]\d*$/);
  expect(final.get("ENTRYPOINT")).toBe('["udptunnel"]');
  expect(final.get("HEALTHCHECK")).toContain("healthy.ts");
  expect(final.get("ENV")).toMatch(/^UDPTUNNEL_METRICS=\d+$/);
});

/** Runs the health check. @returns its exit status. */
async function checkHealth(metrics: string): Promise<number> {
  const { exited } = Bun.spawn([process.execPath, join(FOLDER, "healthy.ts")], {
    env: { ...Bun.env, UDPTUNNEL_METRICS: metrics },
    stdio: ["ignore", "ignore", "ignore"],
  });
  return await exited;
}

test.each([
  ["127.0.0.1", (port: number) => `127.0.0.1/${port}`],
  ["127.0.0.1", (port: number) => `${port}`],
  ["0.0.0.0", (port: number) => `0.0.0.0:${port}`],
  ["127.0.0.3", (port: number) => `127.0.0.3/${port}`],
  ["::1", (port: number) => `[::1]:${port}`],
  ["::1", (port: number) => `::1/${port}`],
  ["::1", (port: number) => `${port}`],
])("the health check follows the metrics port on %s", async (hostname, written) => {
  let status = 200;
  const server = Bun.serve({
    hostname,
    port: 0,
    fetch: ({ url }) => new Response(null, { status: url.endsWith("/healthz") ? status : 404 }),
  });
  const metrics = written(Number(server.port));
  expect(await checkHealth(metrics)).toBe(0);
  status = 503;
  expect(await checkHealth(metrics)).toBe(1);
  await server.stop(true);
  expect(await checkHealth(metrics)).toBe(1);
});

test.each(["", "nonsense"])("without a metrics port (%p) the container is unhealthy", async (metrics) => {
  expect(await checkHealth(metrics)).toBe(1);
});
