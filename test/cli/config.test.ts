import { afterAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { APP_HOST, freeTcpPort, freeUdpPort, TUNNEL_HOST, UdpApp } from "../support/loopback.ts";
import { Program } from "../support/program.ts";
import { until } from "../support/until.ts";

const EXAMPLE = new URL("../../examples/udptunnel.toml", import.meta.url).pathname;
const folder = await mkdtemp(join(tmpdir(), "config-"));
afterAll(() => rm(folder, { recursive: true }));
let files = 0;

/** A configuration file that can be rewritten. */
class ConfigFile {
  readonly path = join(folder, `${++files}.toml`);

  /** Writes one table for each tunnel. */
  async write(tunnels: Record<string, readonly string[]>): Promise<string> {
    const tables = Object.entries(tunnels).map(([name, lines]) => `[tunnel.${name}]\n${lines.join("\n")}\n`);
    await Bun.write(this.path, tables.join("\n"));
    return this.path;
  }
}

/** Runs the program until it exits. */
async function run(args: readonly string[], environment: Record<string, string> = {}) {
  const program = new Program(args, undefined, environment);
  const status = await program.exited();
  return { status, output: program.output, lines: program.lines };
}

/** The two ends of a tunnel, in one process, and the UDP ports of the programs that use it. */
async function pair() {
  const [tcp, here, there] = [freeTcpPort(), await freeUdpPort(), await freeUdpPort()];
  const bind = `bind = "${TUNNEL_HOST}"`;
  return {
    tcp,
    here,
    there,
    server: [`server = "${TUNNEL_HOST}/${tcp}"`, `target = "${APP_HOST}/${there}"`, bind],
    client: [`client = "${TUNNEL_HOST}/${tcp}"`, `target = "${APP_HOST}/${here}"`, bind],
  };
}

/** Whether the texts are the numbers from 0 upward, in order. */
const complete = (texts: readonly string[]) => texts.every((text, index) => Number(text) === index);

describe("several tunnels in one process", () => {
  test("run at the same time, and their names begin their log lines", async () => {
    const { server, client, here, there } = await pair();
    const file = new ConfigFile();
    await using program = new Program(["-v", "--config", await file.write({ here: client, there: server })]);
    await program.says("here: connected: TCP ");
    await program.says("there: connected: TCP ");
    using app = await UdpApp.open(here);
    using far = await UdpApp.open(there);
    app.send("through both");
    await far.receives("through both");
    program.child.kill("SIGTERM");
    expect(await program.exited()).toBe(0);
    expect(program.output).toBe("");
  });

  test("one that cannot start ends all of them, with exit code 1 and a message", async () => {
    const { server, client, tcp } = await pair();
    using listener = Bun.listen({ hostname: TUNNEL_HOST, port: tcp, socket: { data() {} } });
    const file = await new ConfigFile().write({ first: client, second: server });
    expect(listener.port).toBe(tcp);
    expect(await run(["--config", file])).toEqual({
      status: 1,
      output: "",
      lines: [
        `udptunnel: second: cannot listen on TCP ${TUNNEL_HOST}:${tcp}: EADDRINUSE; another program has that port: give another one with server, or end that program`,
      ],
    });
  });

  test.each([
    ["exits with 0 when the last tunnel has ended", 0],
    ["exits with 1 if one of them failed", 1],
  ] as const)("with once, the program %s", async (_what, status) => {
    const { server, client } = await pair();
    const other = await pair();
    const once = ["once = true"];
    const alone = status === 1 ? { alone: [...other.client, ...once] } : {};
    const file = await new ConfigFile().write({ ...alone, there: [...server, ...once] });
    const far = await new ConfigFile().write({ here: client });
    await using program = new Program(["-v", "--config", file]);
    await program.says("there: listening");
    if (status === 1)
      await program.says(`alone: cannot connect to ${TUNNEL_HOST}:${other.tcp}: ECONNREFUSED`);
    await using peer = new Program(["-v", "--config", far]);
    await program.says("there: connected");
    peer.child.kill("SIGTERM");
    expect(await program.exited()).toBe(status);
  });
});

describe("SIGHUP", () => {
  test("keeps unchanged tunnels, restarts changed ones, closes removed ones, starts new ones", async () => {
    const [steady, changing, removed, added] = [await pair(), await pair(), await pair(), await pair()];
    const file = new ConfigFile();
    const kept = { here: steady.client, there: steady.server };
    const path = await file.write({ ...kept, changing: changing.server, leaving: removed.server });
    await using program = new Program(["-v", "--config", path]);
    await program.says("here: connected: TCP ");
    await program.says("leaving: listening");
    using app = await UdpApp.open(steady.here);
    using far = await UdpApp.open(steady.there);
    let sent = 0;
    using sending = new DisposableStack();
    sending.adopt(
      setInterval(() => app.send(`${sent++}`), 1),
      clearInterval,
    );
    await until("the first", () => far.received.length > 20);

    const next = { ...kept, changing: [...changing.server, "max-delay = 100"], coming: added.server };
    await file.write(next);
    program.child.kill("SIGHUP");
    await program.says(
      `${path} was reloaded; kept: here, there; changed: changing; new: coming; removed: leaving`,
    );
    const after = sent;
    await until("some more", () => far.received.length > after + 20);
    sending.dispose();
    await until("the last", () => far.received.length === sent);
    expect(complete(far.texts)).toBe(true);
    const count = (text: string) => program.lines.filter((line) => line.includes(text)).length;
    expect(count("udptunnel: here: connected")).toBe(1);
    expect(count("udptunnel: here: disconnected")).toBe(0);
    expect(count("changing: listening")).toBe(2);
    expect(count("coming: listening")).toBe(1);
    // The port of the closed tunnel is free again.
    Bun.listen({ hostname: TUNNEL_HOST, port: removed.tcp, socket: { data() {} } }).stop();
    program.child.kill("SIGTERM");
    expect(await program.exited()).toBe(0);
  });

  test("with an invalid file changes nothing", async () => {
    const { server, client, here, there } = await pair();
    const file = new ConfigFile();
    const path = await file.write({ here: client, there: server });
    await using program = new Program(["-v", "--config", path]);
    await program.says("udptunnel: here: connected: TCP ");
    await program.says("there: connected: TCP ");
    const before = program.lines.length;
    for (const broken of [{ here: [...client, "queue = 1"] }, { here: ["junk"] }]) {
      const linesBefore = program.lines.length;
      await file.write(broken);
      program.child.kill("SIGHUP");
      await until("the report", () => program.lines.length === linesBefore + 2);
    }
    await rm(path);
    program.child.kill("SIGHUP");
    await program.says("ENOENT");
    await until("the report", () => program.lines.length === before + 6);
    const unused = `udptunnel: ${path} was not applied; the running tunnels stay unchanged`;
    expect(program.lines.slice(before)).toEqual([
      `udptunnel: ${path}:5: tunnel.here.queue: 1 is too small; give 128KiB to 1GiB`,
      unused,
      expect.stringContaining(`udptunnel: ${path}:2: `),
      unused,
      `udptunnel: ${path}: there is no such file; give the path of one that exists (ENOENT)`,
      unused,
    ]);
    using app = await UdpApp.open(here);
    using far = await UdpApp.open(there);
    app.send("still there");
    await far.receives("still there");
  });

  test("restarts a changed tunnel with its old settings if it cannot start with the new ones", async () => {
    const { server, tcp } = await pair();
    const taken = freeTcpPort();
    using listener = Bun.listen({ hostname: TUNNEL_HOST, port: taken, socket: { data() {} } });
    expect(listener.port).toBe(taken);
    const file = new ConfigFile();
    await using program = new Program(["-v", "--config", await file.write({ it: server })]);
    await program.says("it: listening");
    await file.write({ it: [`server = "${TUNNEL_HOST}/${taken}"`, ...server.slice(1)] });
    program.child.kill("SIGHUP");
    await program.says("was reloaded");
    expect(program.lines).toContain(
      `udptunnel: it: cannot listen on TCP ${TUNNEL_HOST}:${taken}: EADDRINUSE; another program has that port: give another one with server, or end that program`,
    );
    const listening = program.lines.filter((line) =>
      line.includes(`it: listening on TCP ${TUNNEL_HOST}:${tcp}`),
    );
    expect(listening).toHaveLength(2);
  });

  test("without a file ends the program, as the end of its terminal does", async () => {
    const { tcp, there } = await pair();
    const args = ["-v", "-s", `${TUNNEL_HOST}/${tcp}`, "--bind", TUNNEL_HOST, `${APP_HOST}/${there}`];
    await using program = new Program(args);
    await program.says("listening on TCP");
    program.child.kill("SIGHUP");
    await program.exited();
    expect(program.child.signalCode).toBe("SIGHUP");
  });
});

describe("--check starts nothing", () => {
  test("and lists the tunnels of the example", async () => {
    expect(await run(["--config", EXAMPLE, "--check"])).toEqual({
      status: 0,
      output: [
        "media: server on TCP 192.0.2.10:5000, UDP localhost:4000, RTP and RTCP",
        "dns: client of TCP one.example:5353, then two.example:5353, UDP 127.0.0.1:53, a connection for each source",
        "news: client of TCP server.example:5002, UDP 224.2.0.1:4002",
        "",
      ].join("\n"),
      lines: [],
    });
  });

  test("and lists the tunnel of the command line", async () => {
    const { status, output } = await run(["--check", "-s", "::1/5000", "localhost/4000"]);
    expect({ status, output }).toEqual({
      status: 0,
      output: "tunnel: server on TCP [::1]:5000, UDP localhost:4000\n",
    });
  });

  test("and reports all problems", async () => {
    const path = await new ConfigFile().write({
      a: ["server = 0", "targte = 5"],
      b: ['client = "h"', 'target = "h/1"', "tos = 300"],
    });
    expect(await run(["--config", path, "--check"])).toEqual({
      status: 2,
      output: "",
      lines: [
        `udptunnel: ${path}:3: tunnel.a.targte: is not an option; did you mean target?`,
        `udptunnel: ${path}:2: tunnel.a.server: 0 is not a port; give a number from 1 to 65535`,
        `udptunnel: ${path}:1: tunnel.a.target: is missing; give UDP-addr/UDP-port[/ttl]`,
        `udptunnel: ${path}:8: tunnel.b.tos: 300 is too large; give 0 to 255 or a DSCP name such as EF, AF41, CS5 or LE`,
      ],
    });
  });

  test("and reports a missing file", async () => {
    const missing = join(folder, "missing.toml");
    const { status, lines } = await run(["--config", missing]);
    expect({ status, lines }).toEqual({
      status: 2,
      lines: [`udptunnel: ${missing}: there is no such file; give the path of one that exists (ENOENT)`],
    });
  });
});

describe("the environment", () => {
  test("gives a whole tunnel without any argument", async () => {
    const { tcp, there } = await pair();
    await using program = new Program([], undefined, {
      UDPTUNNEL_SERVER: `${TUNNEL_HOST}/${tcp}`,
      UDPTUNNEL_TARGET: `${APP_HOST}/${there}`,
      UDPTUNNEL_BIND: TUNNEL_HOST,
      UDPTUNNEL_VERBOSE: "1",
    });
    await program.says(`udptunnel: listening on TCP ${TUNNEL_HOST}:${tcp}`);
    program.child.kill("SIGTERM");
    expect(await program.exited()).toBe(0);
  });

  test("is named in its problems", async () => {
    const { status, lines } = await run(["-s", "5000", "h/1"], { UDPTUNNEL_MAX_DELAY: "never" });
    expect(status).toBe(2);
    expect(lines[0]).toBe(
      'udptunnel: UDPTUNNEL_MAX_DELAY: "never" is not a number; give 0 to 600000 milliseconds',
    );
  });
});
