/** The secret in the program: where it comes from, and that no output shows it. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArguments } from "../../src/cli/arguments.ts";
import { APP_HOST, connectRaw, freeTcpPort, freeUdpPort, TUNNEL_HOST, UdpApp } from "../support/loopback.ts";
import { Program } from "../support/program.ts";
import { readConfig } from "../support/read-config.ts";

const TEXT = "a-secret-that-must-not-be-seen";
let folder = "";
let file = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "udptunnel-secret-"));
  file = join(folder, "secret");
  writeFileSync(file, `${TEXT}\n`, { mode: 0o600 });
});
afterAll(() => rmSync(folder, { recursive: true }));

const problems = (line: string, environment = {}): readonly string[] => {
  const read = parseArguments(line.split(" "), environment);
  return read.kind === "invalid" ? read.problems : [];
};

const problemsOfEnvironment = (environment: Record<string, string>) =>
  problems("-s 5000 h/4000", environment);

describe("arguments", () => {
  test("the secret comes from a file or the environment", () => {
    for (const [line, environment] of [
      [`-s 5000 h/4000 --secret-file ${file}`, {}],
      ["-s 5000 h/4000", { UDPTUNNEL_SECRET: TEXT }],
    ] as const) {
      const read = parseArguments(line.split(" "), environment);
      expect(read.kind === "run" && read.settings.secret).toBeTruthy();
    }
    expect(problems(`-s 5000 h/4000 --secret-file ${file}`, { UDPTUNNEL_SECRET: TEXT })).toEqual([
      "--secret-file: does not go with UDPTUNNEL_SECRET; give one of them",
    ]);
    expect(problems("-s 5000 h/4000", { UDPTUNNEL_SECRET: "short" })).toEqual([
      expect.stringMatching(/^UDPTUNNEL_SECRET: has 5 bytes; give at least 16/),
    ]);
    expect(problems("-s 5000 h/4000", { UDPTUNNEL_SECRET: "" })).toEqual([
      expect.stringMatching(/^UDPTUNNEL_SECRET: has 0 bytes/),
    ]);
    expect(problems("-s 5000 h/4000", { UDPTUNNEL_SECRET_FILE: "" })).toEqual([
      "UDPTUNNEL_SECRET_FILE: its value is missing; give FILE",
    ]);
  });

  test("a configuration file can name the file of the secret, but not hold the secret", () => {
    const table = (line: string) => `[tunnel.a]\nserver = 5000\ntarget = "h/4000"\n${line}\n`;
    expect(readConfig(table(`secret-file = ${JSON.stringify(file)}`)).plans[0]?.settings.secret).toBeTruthy();
    const { problems } = readConfig(table(`secret = "${TEXT}"`));
    expect(problems).toMatchObject([
      { problem: "is not allowed in a file; set UDPTUNNEL_SECRET for all tunnels" },
    ]);
    expect(JSON.stringify(problems)).not.toContain(TEXT);
    expect(problemsOfEnvironment({ UDPTUNNEL_SECERT: TEXT })).toEqual([
      "UDPTUNNEL_SECERT: is not an option; did you mean UDPTUNNEL_SECRET?",
    ]);
  });

  test.each([`--secret ${TEXT}`, `--secret=${TEXT}`, `--secrets ${TEXT}`, `--secrte ${TEXT}`])(
    "a secret in the arguments is rejected and not quoted: %s",
    (given) => {
      for (const line of [`-s 5000 h/4000 ${given}`, `${given} -s 5000 h/4000`]) {
        expect(problems(line).join("\n")).toMatch(/^--secr\w+: is not an option/);
        expect(problems(line).join("\n")).not.toContain(TEXT);
      }
    },
  );

  test("--require-auth requires certificates or a secret; --allow does not count", () => {
    expect(problems("-s 5000 h/4000 --require-auth --allow 192.0.2.1")).toEqual([
      "--require-auth: requires clients to authenticate; give --client-ca, --secret-file or UDPTUNNEL_SECRET (--allow does not count)",
    ]);
    expect(problems(`-s 5000 h/4000 --require-auth --secret-file ${file}`)).toEqual([]);
  });
});

describe("the program", () => {
  async function ports() {
    return { tcp: freeTcpPort(), udp: await freeUdpPort() };
  }

  test("--require-auth without authentication does not start, even on loopback: exit code 2", async () => {
    const program = new Program(["-s", `${TUNNEL_HOST}/5000`, "--require-auth", "h/4000"]);
    expect(await program.exited()).toBe(2);
    expect(program.lines[0]).toContain("--require-auth: requires clients to authenticate");
  });

  test("warns of a file that other users may read", async () => {
    const exposed = join(folder, "exposed");
    writeFileSync(exposed, TEXT);
    chmodSync(exposed, 0o644);
    const { tcp, udp } = await ports();
    const at = ["-s", `${TUNNEL_HOST}/${tcp}`, "--bind", TUNNEL_HOST, `${APP_HOST}/${udp}`];
    await using program = new Program([...at, "--secret-file", exposed]);
    await program.says(`chmod 600 ${exposed}`);
    expect(program.errors).toContain("mode 644");
  });

  test("does not show the secret in its output, its arguments or a crash report", async () => {
    const { tcp, udp } = await ports();
    const bind = ["--bind", TUNNEL_HOST, `${APP_HOST}/${udp}`];
    await using server = new Program(["-vv", "-s", `${TUNNEL_HOST}/${tcp}`, "--secret-file", file, ...bind]);
    await server.says("listening on TCP");
    const wrong = `${TEXT}-but-wrong`;
    await using client = new Program(
      ["-vv", "-c", `${TUNNEL_HOST}/${tcp}`, "--bind", "127.0.0.4", `${APP_HOST}/${udp}`],
      undefined,
      { UDPTUNNEL_SECRET: wrong },
    );
    await server.says("did not prove that it knows the secret");
    await client.says("did not accept the secret", 6000);
    for (const { child } of [server, client]) {
      expect(readFileSync(`/proc/${child.pid}/cmdline`, "utf8")).not.toContain(TEXT);
      child.kill("SIGTERM");
    }
    expect(await Promise.all([server.exited(), client.exited()])).toEqual([0, 0]);
    const crash = new Program([], [process.execPath, join(import.meta.dir, "crash.ts")], {
      UDPTUNNEL_SECRET: TEXT,
    });
    expect(await crash.exited()).toBe(1);
    expect(crash.errors).toContain("made to crash");
    for (const { errors, output } of [server, client, crash]) expect(errors + output).not.toContain(TEXT);
  });
});

test("the recipe in docs/security.md: two machines with a shared secret", async () => {
  const document = readFileSync(new URL("../../docs/security.md", import.meta.url), "utf8");
  const [, recipe = ""] =
    /## Recipe: two machines with a shared secret.*?```sh\n(.*?)```/s.exec(document) ?? [];
  const lines = recipe.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  const [make = "", atServer = "", atClient = ""] = lines;
  expect(lines).toHaveLength(3);
  const [tcp, serverUdp, clientUdp] = [freeTcpPort(), await freeUdpPort(), await freeUdpPort()];
  const made = Bun.spawnSync(["sh", "-c", make.replaceAll("udptunnel.secret", join(folder, "made"))]);
  expect(made.exitCode).toBe(0);
  const here = (line: string, udp: number) =>
    line
      .replace("udptunnel ", "")
      .replace("udptunnel.secret", join(folder, "made"))
      .replace("-s 5000", `-s ${TUNNEL_HOST}/${tcp}`)
      .replace("server.example/5000", `${TUNNEL_HOST}/${tcp}`)
      .replace("localhost/4000", `--bind ${TUNNEL_HOST} ${APP_HOST}/${udp}`)
      .split(" ");
  await using server = new Program([...here(atServer, serverUdp), "-v"]);
  await server.says("listening on TCP");
  await using client = new Program([...here(atClient, clientUdp), "-v"]);
  await client.says("connected");
  using serverApp = await UdpApp.open(serverUdp);
  using clientApp = await UdpApp.open(clientUdp);
  clientApp.send("through the tunnel");
  await serverApp.receives("through the tunnel");
  expect(server.errors + client.errors).not.toMatch(/chmod|anyone/);
  using attacker = await connectRaw(tcp);
  attacker.socket.write("no secret");
  await server.says("no handshake");
  serverApp.send("for the client alone");
  await clientApp.receives("for the client alone");
  expect(Buffer.concat(attacker.read).subarray(0, 8).toString("hex")).toBe("ffff756470740001");
  expect(Buffer.concat(attacker.read).length).toBe(40);
});
