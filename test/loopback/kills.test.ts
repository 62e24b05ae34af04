/**
 * One end of a tunnel is killed under load, a hundred times in all: two servers and two clients at once, 25
 * times each. The other end runs in this process, so that the test can read its counters. Every fifth victim
 * is stopped first, until the connection to it is full, so that a frame is written in part.
 */

import { expect, test } from "bun:test";
import { startClient, startServer, type TunnelEvent } from "../../src/index.ts";
import { expectConserved } from "../support/conservation.ts";
import { APP_HOST, freeTcpPort, freeUdpPort, TUNNEL_HOST, UdpApp } from "../support/loopback.ts";
import { Program } from "../support/program.ts";
import { dropsAt } from "../support/udp-sockets.ts";
import { until } from "../support/until.ts";

const KILLS_EACH = 25;
const PAYLOAD_BYTES = 1200;

/** Sends bursts of datagrams, numbered in their first bytes, every 4 ms until disposed of. */
class Load implements Disposable {
  sent = 0;
  readonly #app: UdpApp;
  readonly #payload = new DataView(new ArrayBuffer(PAYLOAD_BYTES));
  readonly #timer = setInterval(() => this.send(8), 4);

  constructor(app: UdpApp) {
    this.#app = app;
  }

  send(burst: number): void {
    for (let count = 0; count < burst; count++) {
      this.#payload.setUint32(0, this.sent++);
      this.#app.send(new Uint8Array(this.#payload.buffer));
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

/** Numbers received twice, or after a higher one. */
function outOfOrder(app: UdpApp): number[] {
  const numbers = app.received.map(({ buffer }) => new DataView(buffer).getUint32(0));
  return numbers.filter((number, index) => index > 0 && number <= (numbers[index - 1] ?? 0));
}

async function killRepeatedly(victimRole: "server" | "client"): Promise<void> {
  const tcp = freeTcpPort();
  const ports = { near: await freeUdpPort(), far: await freeUdpPort() };
  const target = (port: number) => `${APP_HOST}/${port}`;
  const endpoint = `${TUNNEL_HOST}/${tcp}`;
  // With these options the kernel's buffers fill up, and a partly written frame is lost with the connection.
  const full = { inFlight: "kernel", unsentBytesMax: 1 << 30, queueBytesMax: 16 << 20 } as const;
  // A busy machine may take long to fill the connection. Only the kill may end it.
  const common = { bind: TUNNEL_HOST, target: target(ports.near), deadAfterMs: 3_600_000, ...full };
  let disconnects = 0;
  const onEvent = ({ type }: TunnelEvent) => {
    if (type === "disconnected") disconnects++;
  };
  await using survivor =
    victimRole === "server"
      ? await startClient({ connect: endpoint, ...common }, { onEvent })
      : await startServer({ listen: endpoint, ...common }, { onEvent });
  using near = await UdpApp.open(ports.near);
  using far = await UdpApp.open(ports.far);
  using toFar = new Load(near);
  using toNear = new Load(far);
  const { counters } = survivor;
  for (let kill = 1; kill <= KILLS_EACH; kill++) {
    const flag = victimRole === "server" ? "-s" : "-c";
    await using victim = new Program([flag, endpoint, "-v", "--bind", TUNNEL_HOST, target(ports.far)]);
    await victim.says(victimRole === "server" ? "listening on TCP" : ": connected");
    const before = { near: near.received.length, far: far.received.length };
    await until("load in both directions", () =>
      [near.received.length - before.near, far.received.length - before.far].every((count) => count > 50),
    );
    // Not equal to `kill`: a client of another test may have dialled this port, which its server had before.
    expect(counters.connects - disconnects).toBe(1);
    if (kill % 5 === 0) {
      victim.child.kill("SIGSTOP");
      await until("the connection to be full", () => {
        toFar.send(64);
        return survivor.held.outbound > 500;
      });
    }
    victim.child.kill("SIGKILL");
    await until("the end of the connection", () => disconnects === counters.connects);
    expectConserved(survivor);
  }
  toFar[Symbol.dispose]();
  toNear[Symbol.dispose]();
  const { outbound, inbound } = counters;
  const refused = dropsAt(TUNNEL_HOST, ports.near);
  await until("every sent datagram", () => outbound.received + refused === toFar.sent);
  await until(
    "every relayed datagram",
    () => near.received.length + dropsAt(APP_HOST, ports.near) === inbound.sent,
  );
  expect({ near: outOfOrder(near), far: outOfOrder(far) }).toEqual({ near: [], far: [] });
  expect(outbound.dropped["stream lost"]).toBeGreaterThan(0);
  await survivor.close();
  expectConserved(survivor);
  expect(survivor.held).toEqual({ outbound: 0, inbound: 0 });
}

test("after each of 100 kills under load, counters are exact and the tunnel reconnects", async () => {
  const victims = ["server", "client", "server", "client"] as const;
  await Promise.all(victims.map(killRepeatedly));
}, 240_000);
