import { describe, expect, test } from "bun:test";
import { APP_HOST, connectRaw, freeTcpPort, freeUdpPort, TUNNEL_HOST, UdpApp } from "../support/loopback.ts";
import { Program } from "../support/program.ts";
import { until } from "../support/until.ts";

const ENTRY = new URL("../../src/cli/udptunnel.ts", import.meta.url).pathname;
const STACK = /\n\s+at |node_modules|\.ts:\d/;

const ADVICE =
  "another program has that port, possibly the one whose datagrams the tunnel should carry: " +
  "give --per-source on both ends, " +
  "or another local address with --bind (such as 127.0.0.2) if that program uses only one";

/** Runs the program to its end. */
async function run(...args: string[]) {
  const program = new Program(args);
  const status = await program.exited();
  const { output, errors, lines } = program;
  return { status, output, errors, lines };
}

async function ports() {
  return { tcp: freeTcpPort(), udp: await freeUdpPort() };
}

const target = (udp: number) => ["--bind", TUNNEL_HOST, `${APP_HOST}/${udp}`];

describe("a program that cannot run reports why in one line", () => {
  test("invalid options are status 2, with every problem", async () => {
    const { status, output, lines } = await run("-s", "99999", "--max-dealy", "5", "host/0");
    expect(status).toBe(2);
    expect(output).toBe("");
    expect(lines).toHaveLength(4);
    expect(lines[0]).toContain("--max-delay");
    expect(lines.join("\n")).toContain('"99999"');
    expect(lines.every((line) => line.startsWith("udptunnel: "))).toBe(true);
  });

  test("a problem's text cannot control the terminal", async () => {
    const { lines } = await run("-s", "5000", "--\u001b[2J\u009b31m\n", "host/5000");
    expect(lines).toHaveLength(2);
    expect(lines[0]).toBe(
      "udptunnel: --\\u001b[2J\\u009b31m\\u000a: is not an option; --help lists all options",
    );
  });

  test("a TCP port in use is status 1", async () => {
    const { tcp, udp } = await ports();
    using listener = Bun.listen({ hostname: TUNNEL_HOST, port: tcp, socket: { data() {} } });
    expect(listener.port).toBe(tcp);
    const { status, output, lines } = await run("-s", `${TUNNEL_HOST}/${tcp}`, ...target(udp));
    expect({ status, output, lines }).toEqual({
      status: 1,
      output: "",
      lines: [
        `udptunnel: cannot listen on TCP ${TUNNEL_HOST}:${tcp}: EADDRINUSE; ` +
          "another program has that port: give another one with --server, or end that program",
      ],
    });
  });

  test("a UDP port in use by a program that does not share it is status 1", async () => {
    const { tcp, udp } = await ports();
    const holder = await Bun.udpSocket({ hostname: TUNNEL_HOST, port: udp });
    const { status, lines } = await run("-s", `${TUNNEL_HOST}/${tcp}`, ...target(udp));
    holder.close();
    expect({ status, lines }).toEqual({
      status: 1,
      lines: [`udptunnel: cannot bind UDP ${TUNNEL_HOST}:${udp}: EADDRINUSE; ${ADVICE}`],
    });
  });

  test("an unknown UDP name is status 1", async () => {
    const { status, lines } = await run("-s", `${TUNNEL_HOST}/${freeTcpPort()}`, "nobody.invalid/5000");
    expect(status).toBe(1);
    expect(lines).toEqual([expect.stringMatching(/^udptunnel: cannot resolve nobody\.invalid: E\w+$/)]);
  });

  test("a refused connection with --once is status 1", async () => {
    const { tcp, udp } = await ports();
    const { status, lines } = await run("-c", `${TUNNEL_HOST}/${tcp}`, "--once", ...target(udp));
    expect({ status, lines }).toEqual({
      status: 1,
      lines: [`udptunnel: cannot connect to ${TUNNEL_HOST}:${tcp}: ECONNREFUSED`],
    });
  });
});

test.each(["--help", "-h", "--version", "--check -s 5000 localhost/4000"])(
  "a stdout that is full or closed early causes no stack trace (%s)",
  async (line) => {
    const args = line.split(" ");
    const into = (stdout: string) => ["sh", "-c", `exec "$0" "$@" ${stdout}`, process.execPath, ENTRY];
    const full = new Program(args, into(">/dev/full"));
    expect(await full.exited()).toBe(1);
    expect(full.lines).toEqual(["udptunnel: cannot write to stdout: ENOSPC"]);
    // The reader has closed before the program starts.
    const closed = new Program(args, [
      "bash",
      "-c",
      'exec > >(:); wait $!; exec "$0" "$@"',
      process.execPath,
      ENTRY,
    ]);
    expect(await closed.exited()).toBe(0);
    expect(closed.errors).toBe("");
  },
);

test.each(["peer closes", "peer resets"])(
  "--once exits with 0 and without an error when the %s",
  async (how) => {
    const { tcp, udp } = await ports();
    await using server = new Program(["-s", `${TUNNEL_HOST}/${tcp}`, "--once", "-v", ...target(udp)]);
    await server.says("listening on TCP");
    using peer = await connectRaw(tcp);
    await server.says("connected");
    if (how === "peer closes") peer.socket.shutdown();
    else peer.socket.terminate();
    expect(await server.exited()).toBe(0);
    expect(server.output).toBe("");
    expect(server.errors).not.toMatch(STACK);
  },
);

test("without -v only the first failed dial is logged, and a later dial reaches the server", async () => {
  const { tcp, udp } = await ports();
  await using client = new Program(["-c", `${TUNNEL_HOST}/${tcp}`, ...target(udp)]);
  await client.says("ECONNREFUSED; trying again in 0.1 s");
  await using server = new Program([
    "-s",
    `${TUNNEL_HOST}/${tcp}`,
    "-v",
    "--bind",
    "127.0.0.4",
    `127.0.0.3/${udp}`,
  ]);
  await server.says("connected");
  client.child.kill("SIGTERM");
  expect(await client.exited()).toBe(0);
  expect(client.lines).toHaveLength(1);
  expect(client.output).toBe("");
});

test("-v logs connections, -vv logs each datagram with its source and length", async () => {
  const { tcp, udp } = await ports();
  await using server = new Program(["-s", `${TUNNEL_HOST}/${tcp}`, "-vv", ...target(udp)]);
  await server.says("listening on TCP");
  using app = await UdpApp.open(udp);
  using peer = await connectRaw(tcp);
  await server.says("connected");
  peer.socket.write(Uint8Array.of(0, 2, 104, 105));
  app.send("three");
  app.send("");
  await server.says(`outbound: 5 bytes from ${APP_HOST}:${udp}`);
  await server.says(`outbound: 0 bytes from ${APP_HOST}:${udp}`);
  await server.says(`inbound: 2 bytes from ${TUNNEL_HOST}:${peer.socket.localPort}`);
  await app.receives("hi");
  expect(server.output).toBe("");
});

test("a wrong source causes one warning, with the option that allows it", async () => {
  const { tcp, udp } = await ports();
  await using server = new Program(["-s", `${TUNNEL_HOST}/${tcp}`, ...target(udp)]);
  using other = await UdpApp.open(0, "127.0.0.3");
  await until("the warning", () => {
    other.send("x", udp);
    return server.lines.length > 0;
  });
  for (let count = 0; count < 20; count++) other.send("x", udp);
  server.child.kill("SIGTERM");
  expect(await server.exited()).toBe(0);
  expect(server.lines).toEqual([expect.stringContaining("add 127.0.0.3 to --from to allow it")]);
});

describe("signals", () => {
  /** A server whose peer neither reads nor closes, so that closing takes the whole second. */
  async function stuckServer() {
    const { tcp, udp } = await ports();
    const server = new Program(["-s", `${TUNNEL_HOST}/${tcp}`, "-v", ...target(udp)]);
    await server.says("listening on TCP");
    const peer = await connectRaw(tcp);
    await server.says("connected");
    return { server, peer, udp };
  }

  test.each(["SIGINT", "SIGTERM"] as const)(
    "%s flushes the queue, sends FIN, and exits with 0",
    async (signal) => {
      const { server, peer, udp } = await stuckServer();
      using app = await UdpApp.open(udp);
      for (let count = 0; count < 50; count++) app.send("x");
      await until("the first to cross", () => peer.read.length > 0);
      server.child.kill(signal);
      await until("the FIN", () => peer.state.ended);
      peer.socket.end();
      expect(await server.exited()).toBe(0);
      expect(server.output).toBe("");
      expect(server.errors).not.toMatch(STACK);
      expect(Buffer.concat(peer.read).length % 3).toBe(0);
    },
  );

  test("a second signal at once counts as the same one, and the tunnel takes its second to close", async () => {
    const { server, peer } = await stuckServer();
    server.child.kill("SIGINT");
    await until("the FIN", () => peer.state.ended);
    server.child.kill("SIGINT");
    expect(await server.exited()).toBe(0);
    peer.socket.terminate();
  });

  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("a second %s after more than 0.5 s exits at once with %p", async (signal, status) => {
    const { server, peer } = await stuckServer();
    server.child.kill("SIGTERM");
    await until("the FIN", () => peer.state.ended);
    await Bun.sleep(600); // only later signals count as a second one
    server.child.kill(signal);
    expect(await server.exited()).toBe(status);
    peer.socket.terminate();
  });
});

test("bun run udptunnel passes arguments, output and exit status through", async () => {
  const program = new Program(["run", "udptunnel", "--version"], [process.execPath]);
  expect(await program.exited()).toBe(0);
  expect(program.output).toMatch(/^udptunnel \d+\.\d+\.\d+\n$/);
  expect(program.errors).toBe("");
  const wrong = new Program(["run", "udptunnel", "-s", "5000"], [process.execPath]);
  expect(await wrong.exited()).toBe(2);
  expect(wrong.lines.every((line) => line.startsWith("udptunnel: "))).toBe(true);
});
