/** `--redact` at the real program: no output shows a host name of the options. */

import { expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freeTcpPort, freeUdpPort, TUNNEL_HOST } from "../support/loopback.ts";
import { Program } from "../support/program.ts";

/** A name that is never resolved (RFC 6761, 6.4). */
const NAME = "nobody.invalid";

const FORMATS = [
  ["text", []],
  ["json", ["--log", "json"]],
] as const;

const START_ERRORS: [what: string, args: string[]][] = [
  ["the target", ["-s", `${TUNNEL_HOST}/9`, `${NAME}/9`]],
  ["the server's address", ["-s", `${NAME}/9`, `${TUNNEL_HOST}/9`]],
  ["the local UDP address", ["-s", `${TUNNEL_HOST}/9`, "--bind", NAME, `${TUNNEL_HOST}/9`]],
  ["the local TCP address", ["-c", `${TUNNEL_HOST}/9`, "--tcp-bind", NAME, `${TUNNEL_HOST}/9`]],
  ["the address for metrics", ["--metrics", `${NAME}/9`, "-s", `${TUNNEL_HOST}/9`, `${TUNNEL_HOST}/9`]],
];

for (const [format, options] of FORMATS) {
  test.each(START_ERRORS)(`as ${format}, a start error does not show the name of %s`, async (_, args) => {
    const program = new Program(["--redact", ...options, ...args]);
    expect(await program.exited()).toBe(1);
    expect(program.errors).toContain("cannot resolve hidden: ENOTFOUND");
    expect(program.errors + program.output).not.toContain("nobody");
  });

  test(`as ${format}, a failed dial, /healthz and /stats do not show the server's name`, async () => {
    const [metrics, udp] = [freeTcpPort(), await freeUdpPort()];
    const tunnel = ["-c", `${NAME}/9`, "--bind", TUNNEL_HOST, `${TUNNEL_HOST}/${udp}`];
    await using program = new Program(["-vv", "--redact", "--metrics", `${metrics}`, ...options, ...tunnel]);
    await program.says("cannot resolve hidden: ENOTFOUND; trying again in ");
    for (const path of ["/healthz", "/stats"]) {
      const body = await (await fetch(`http://${TUNNEL_HOST}:${metrics}${path}`)).text();
      expect(body).toContain("connecting");
      expect(body).not.toMatch(/nobody|127\.0\.0/);
    }
    program.child.kill("SIGTERM");
    expect(await program.exited()).toBe(0);
    expect(program.errors).not.toMatch(/nobody|127\.0\.0/);
  });
}

test("--check does not show names or addresses", async () => {
  const program = new Program(["--redact", "--check", "-c", `${NAME}/9`, `${TUNNEL_HOST}/7`]);
  expect(await program.exited()).toBe(0);
  expect(program.output).toBe("tunnel: client of TCP hidden:9, UDP hidden:7\n");
});

test("names that a reload adds are hidden; a tunnel's own name is shown", async () => {
  const directory = await mkdtemp(join(tmpdir(), "udptunnel-"));
  const path = join(directory, "tunnels.toml");
  const table = (name: string, target: string) =>
    `[tunnel.${name}]\nper-source = true\nserver = "127.0.0.1/${freeTcpPort()}"\ntarget = "${target}/9"\n`;
  try {
    const kept = table("kept", TUNNEL_HOST);
    await writeFile(path, kept);
    await using program = new Program(["-v", "--redact", "--config", path]);
    await program.says("udptunnel: kept: listening on TCP hidden:");
    await writeFile(path, kept + table("nobody", NAME));
    program.child.kill("SIGHUP");
    await program.says("was reloaded");
    expect(program.lines).toContain("udptunnel: nobody: cannot resolve hidden: ENOTFOUND");
    expect(program.errors).not.toContain(NAME);
  } finally {
    await rm(directory, { recursive: true });
  }
});

test("at the start, too, problems of a file are JSON records with addresses hidden", async () => {
  const program = new Program(["--redact", "--log", "json", "--config", "/192.0.2.1/tunnels.toml"]);
  expect(await program.exited()).toBe(2);
  expect(program.lines).toHaveLength(1);
  expect(JSON.parse(program.errors).message).toStartWith("/hidden/tunnels.toml: ");
});
