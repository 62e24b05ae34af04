import { expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { APP_HOST, freeTcpPort, freeUdpPort, TUNNEL_HOST } from "../support/loopback.ts";
import { testNeeding } from "../support/need.ts";
import { Program } from "../support/program.ts";
import { until } from "../support/until.ts";

const NOTIFIED = ["python3", new URL("../support/notified.py", import.meta.url).pathname];
const folder = async () => await mkdtemp(join(tmpdir(), "notify-"));

async function serverArguments() {
  return [
    "-s",
    `${TUNNEL_HOST}/${freeTcpPort()}`,
    "--bind",
    TUNNEL_HOST,
    `${APP_HOST}/${await freeUdpPort()}`,
  ];
}

for (const kind of ["a path", "an abstract name"]) {
  testNeeding("python3")(
    `the program reports its start and its stop to a service manager at ${kind}`,
    async () => {
      const where = await folder();
      const path = kind === "a path" ? join(where, "socket") : `@${where}`;
      await using manager = new Program([path], NOTIFIED);
      await until("the manager", () => manager.output === "ready\n");
      await using server = new Program(await serverArguments(), undefined, { NOTIFY_SOCKET: path });
      await until("readiness", () => manager.output === "ready\nREADY=1\n");
      server.child.kill("SIGTERM");
      expect(await server.exited()).toBe(0);
      await until("the stop", () => manager.output === "ready\nREADY=1\nSTOPPING=1\n");
      expect(server.errors).toBe("");
      await rm(where, { recursive: true });
    },
  );
}

testNeeding("python3")(
  "the program reports the beginning and the end of each reload to the service manager",
  async () => {
    const where = await folder();
    const path = join(where, "socket");
    const file = join(where, "tunnels.toml");
    const [, tcp, , bind, target] = await serverArguments();
    await Bun.write(file, `[tunnel.a]\nserver = "${tcp}"\nbind = "${bind}"\ntarget = "${target}"\n`);
    await using manager = new Program([path], NOTIFIED);
    await until("the manager", () => manager.output === "ready\n");
    await using server = new Program(["--config", file], undefined, { NOTIFY_SOCKET: path });
    await until("readiness", () => manager.output === "ready\nREADY=1\n");
    const reloaded = "RELOADING=1 MONOTONIC_USEC=in time\nREADY=1\n";
    server.child.kill("SIGHUP");
    await until("the reload", () => manager.output === `ready\nREADY=1\n${reloaded}`);
    await Bun.write(file, "not TOML");
    server.child.kill("SIGHUP");
    await until(
      "the reload of a broken file",
      () => manager.output === `ready\nREADY=1\n${reloaded}${reloaded}`,
    );
    await rm(where, { recursive: true });
  },
);

testNeeding("python3")("the program reports nothing when its tunnel cannot start", async () => {
  const where = await folder();
  const path = join(where, "socket");
  await using manager = new Program([path], NOTIFIED);
  await until("the manager", () => manager.output === "ready\n");
  const [flag = "", at = "", ...rest] = await serverArguments();
  using _holder = Bun.listen({
    hostname: TUNNEL_HOST,
    port: Number(at.split("/")[1]),
    socket: { data() {} },
  });
  const server = new Program([flag, at, ...rest], undefined, { NOTIFY_SOCKET: path });
  expect(await server.exited()).toBe(1);
  expect(manager.output).toBe("ready\n");
  await rm(where, { recursive: true });
});

test.each(["/nowhere/at/all", "relative", "", "@", `/${"x".repeat(200)}`, "vsock:2:1"])(
  "the program runs when it cannot reach the service manager at %p",
  async (path) => {
    await using server = new Program(["-v", ...(await serverArguments())], undefined, {
      NOTIFY_SOCKET: path,
    });
    await server.says("listening on TCP");
    server.child.kill("SIGTERM");
    expect(await server.exited()).toBe(0);
    const expected = [/: listening on TCP/, /: segment offload/, /: ran 0:/];
    expect(server.lines.map((line) => expected.findIndex((pattern) => pattern.test(line)))).toEqual([
      0, 1, 2,
    ]);
  },
);
