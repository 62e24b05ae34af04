import { describe, expect, test } from "bun:test";
import {
  APP_HOST,
  connectRaw,
  connectWhenUp,
  freeTcpPort,
  freeUdpPort,
  TUNNEL_HOST,
  UdpApp,
} from "../support/loopback.ts";
import { Program } from "../support/program.ts";
import { until } from "../support/until.ts";

async function server(...options: string[]) {
  const [tcp, udp] = [freeTcpPort(), await freeUdpPort()];
  const args = ["-s", `${TUNNEL_HOST}/${tcp}`, "--bind", TUNNEL_HOST, `${APP_HOST}/${udp}`];
  return { tcp, udp, program: new Program([...options, ...args]) };
}

async function stop(program: Program): Promise<number> {
  program.child.kill("SIGTERM");
  return await program.exited();
}

describe("--log json", () => {
  test("every line is a record with the event's properties, up to the last one", async () => {
    const { program, tcp } = await server("-vv", "--log", "json");
    await using _ = program;
    await program.says("listening on TCP");
    using peer = await connectRaw(tcp);
    await program.says("connected");
    peer.socket.write(Uint8Array.of(0, 1, 7));
    await program.says("inbound: 1 bytes");
    expect(await stop(program)).toBe(0);
    const records = program.lines.map((line) => JSON.parse(line));
    const connected = records.find(({ properties }) => properties.event === "connected");
    expect(connected).toMatchObject({
      level: "INFO",
      logger: "udptunnel.tunnel",
      properties: { local: { address: TUNNEL_HOST, port: tcp } },
    });
    expect(records.find(({ properties }) => properties.event === "datagram")?.properties.bytes).toBe(1);
    expect(records.at(-1).message).toStartWith("ran 0:00:0");
    expect(program.output).toBe("");
  });

  test("the error that ends the program is a record, too", async () => {
    using taken = Bun.listen({ hostname: TUNNEL_HOST, port: 0, socket: { data() {} } });
    for (const options of [
      ["--metrics", `${TUNNEL_HOST}/${taken.port}`],
      ["-s", `${TUNNEL_HOST}/${taken.port}`],
    ]) {
      const all =
        options[0] === "-s" ? [...options, `${APP_HOST}/9`] : [...options, "-s", "9", `${APP_HOST}/9`];
      const program = new Program(["--log", "json", ...all]);
      expect(await program.exited()).toBe(1);
      expect(program.lines).toHaveLength(1);
      expect(JSON.parse(program.errors).message).toContain("EADDRINUSE; another program has that port");
    }
  });
});

test("--redact hides peer, source and target in every line, at -vv and SIGUSR1", async () => {
  const { program, tcp, udp } = await server("-vv", "--redact");
  await using _ = program;
  await program.says("listening on TCP hidden:");
  using app = await UdpApp.open(udp);
  using peer = await connectRaw(tcp);
  await program.says("connected");
  app.send("x");
  peer.socket.write(Uint8Array.of(0, 0));
  await program.says("outbound: 1 bytes from hidden:");
  await program.says("inbound: 0 bytes from hidden:");
  program.child.kill("SIGUSR1");
  await program.says("connected to hidden:");
  await stop(program);
  expect(program.errors).not.toContain("127.0.0.");
});

describe("--metrics", () => {
  const get = (port: number, path: string) => fetch(`http://${TUNNEL_HOST}:${port}${path}`);

  test("a port in use is status 1, before the tunnel starts", async () => {
    using taken = Bun.listen({ hostname: TUNNEL_HOST, port: 0, socket: { data() {} } });
    const { program } = await server("-v", "--metrics", `${taken.port}`);
    expect(await program.exited()).toBe(1);
    expect(program.lines).toEqual([
      `udptunnel: cannot serve metrics on ${TUNNEL_HOST}:${taken.port}: EADDRINUSE; ` +
        "another program has that port: give another one with --metrics",
    ]);
  });

  test("an invalid address is status 2, reported with the other problems", async () => {
    const program = new Program(["--metrics", "x/y", "--log", "xml", "-s", "5000", "localhost/5000"]);
    expect(await program.exited()).toBe(2);
    expect(program.errors).toContain("--metrics: ");
    expect(program.errors).toContain('--log: "xml" is not allowed; give text or json');
  });

  test("serves metrics, health and stats, and nothing else", async () => {
    const port = freeTcpPort();
    const { program, tcp, udp } = await server("-v", "--metrics", `${port}`);
    await using _ = program;
    await program.says("listening on TCP");
    using app = await UdpApp.open(udp);
    using peer = await connectRaw(tcp);
    await program.says("connected");
    app.send("abc");
    await until("the datagram", () => peer.read.length > 0);
    const scraped = await get(port, "/metrics");
    expect(scraped.headers.get("content-type")).toStartWith("text/plain; version=0.0.4");
    expect(await scraped.text()).toContain(
      'udptunnel_sent_bytes_total{tunnel="tunnel",direction="outbound"} 5',
    );
    const stats = (await (await get(port, "/stats")).json()) as { tunnels: Record<string, unknown> };
    expect(stats.tunnels).toMatchObject({
      tunnel: {
        state: "connected",
        outbound: { received: 1, receivedBytes: 3 },
        streams: [{ local: { port: tcp } }],
      },
    });
    expect((await get(port, "/")).status).toBe(404);
    expect((await fetch(`http://${TUNNEL_HOST}:${port}/metrics`, { method: "POST" })).status).toBe(404);
  });

  test("rejects a foreign Host at every path on loopback, IPv4 and IPv6", async () => {
    const port = freeTcpPort();
    const { program } = await server("-v", "--metrics", `${port}`);
    await using _ = program;
    await program.says("listening on TCP");
    for (const host of [TUNNEL_HOST, "[::1]"])
      for (const path of ["metrics", "healthz", "stats"]) {
        const url = `http://${host}:${port}/${path}`;
        expect((await fetch(url)).status).toBe(200);
        expect((await fetch(url, { headers: { Host: `localhost:${port}` } })).status).toBe(200);
        const foreign = await fetch(url, { headers: { Host: `rebound.example:${port}` } });
        expect([foreign.status, await foreign.text()]).toEqual([
          403,
          "this Host is not allowed: use localhost or the address\n",
        ]);
      }
  });

  test("a client is healthy only while it is connected", async () => {
    const [port, tcp, udp] = [freeTcpPort(), freeTcpPort(), await freeUdpPort()];
    const args = ["-c", `${TUNNEL_HOST}/${tcp}`, "--bind", TUNNEL_HOST, `${APP_HOST}/${udp}`];
    await using program = new Program(["-v", "--metrics", `${port}`, ...args]);
    await program.says("ECONNREFUSED");
    const before = await get(port, "/healthz");
    expect([before.status, await before.text()]).toEqual([503, "tunnel: connecting\n"]);
    const sockets: Bun.Socket[] = [];
    using listener = Bun.listen({
      hostname: TUNNEL_HOST,
      port: tcp,
      socket: { data() {}, open: (socket) => void sockets.push(socket) },
    });
    expect(listener.port).toBe(tcp);
    await program.says("connected");
    const after = await get(port, "/healthz");
    expect([after.status, await after.text()]).toEqual([200, "tunnel: connected\n"]);
    for (const socket of sockets) socket.terminate();
  });
});

test("SIGUSR1 logs the stats even without -v, and the tunnel keeps running", async () => {
  const { program, tcp } = await server();
  await using _ = program;
  using peer = await connectWhenUp(tcp);
  peer.socket.write(Uint8Array.of(0, 1, 7));
  await until("the stats", () => {
    program.child.kill("SIGUSR1");
    return program.errors.includes("in 1 received");
  });
  expect(await stop(program)).toBe(0);
  expect(program.lines[0]).toMatch(/^udptunnel: \w+.* up \d+:\d\d:\d\d/);
  expect(program.output).toBe("");
});

test("--status without a terminal logs a line every 5 s", async () => {
  const { program } = await server("--status");
  await using _ = program;
  await program.says("udptunnel: listening, up 0:");
  await stop(program);
  expect(program.errors).not.toContain("\x1b");
});
