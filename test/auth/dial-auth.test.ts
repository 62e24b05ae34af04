/** Connections from a client with a secret, on a network in memory. */

import { describe, expect, test } from "bun:test";
import { ServerHandshake } from "../../src/auth/handshake.ts";
import type { StreamPort, StreamReceiver } from "../../src/net/stream-port.ts";
import { secretOf } from "../options/secret-of.ts";
import { MemoryNetwork } from "../support/memory/network.ts";
import { App, CLIENT, CLIENT_APP, Scene, SERVER, TCP_PORT } from "../support/memory-tunnels.ts";
import { frames } from "../support/text.ts";
import { other, secret } from "./raw-clients.ts";

/** Listens as the server, without a tunnel. */
function listenRaw(
  scene: Scene,
  serve: (stream: StreamPort) => Pick<StreamReceiver, "onChunk" | "onClose">,
): void {
  new MemoryNetwork(scene.wire, SERVER).listen({ port: TCP_PORT }, (stream) => {
    stream.receive({ onDrain() {}, onEnd() {}, ...serve(stream) });
  });
}

describe("a client with a secret", () => {
  test.each([
    ["another secret", { secret: other }, /did not accept the secret/],
    ["no secret", {}, /has not asked for the secret: it seems to be configured without one/],
  ])(
    "sends nothing to a server with %s, reports the reason, and dials at growing intervals",
    async (_what, server, reason) => {
      const scene = new Scene();
      const { client, clientApp, serverApp } = await scene.pair(server, { secret });
      clientApp.send(CLIENT, "private");
      await scene.clock.advance(4000);
      expect(client.warnings).toEqual([expect.objectContaining({ type: "dial failed", code: "EAUTH" })]);
      expect(JSON.stringify(client.warnings)).toMatch(reason);
      await scene.clock.advance(60_000);
      expect(serverApp.received).toEqual([]);
      expect(scene.wire.dialled.length).toBeLessThan(15);
      await scene.end();
    },
  );

  test("closes the connection when the server only reflects its proof", async () => {
    const scene = new Scene();
    let closed = false;
    listenRaw(scene, (stream) => {
      stream.write(Uint8Array.of(0xff, 0xff, 0x75, 0x64, 0x70, 0x74, 0, 1, ...new Uint8Array(32)));
      return {
        onChunk: (chunk) => void stream.write(chunk.subarray(40)),
        onClose: () => {
          closed = true;
        },
      };
    });
    const { warnings } = await scene.client({ secret });
    await scene.clock.settle();
    expect(warnings).toMatchObject([{ code: "EAUTH", message: expect.stringContaining("did not prove") }]);
    expect(closed).toBe(true);
    await scene.end();
  });

  test("gives up after 4 s when the server sends one byte per second, in either phase", async () => {
    for (const atOnce of [0, 40]) {
      const scene = new Scene();
      const challenge = new ServerHandshake(secretOf(secret), new Uint8Array(32), undefined).challenge;
      let slow: StreamPort | undefined;
      listenRaw(scene, (stream) => {
        slow = stream;
        stream.write(challenge.subarray(0, atOnce));
        return { onChunk() {}, onClose() {} };
      });
      const { warnings } = await scene.client({ secret });
      await scene.clock.settle();
      for (let second = 0; second < 4; second++) {
        expect(warnings).toEqual([]);
        slow?.write(challenge.subarray(second, second + 1));
        await scene.clock.advance(1000);
      }
      expect(warnings).toMatchObject([{ code: "EAUTH" }]);
      await scene.end();
    }
  });

  test("relays a frame that follows the confirmation directly", async () => {
    const scene = new Scene();
    listenRaw(scene, (stream) => {
      const handshake = new ServerHandshake(secretOf(secret), new Uint8Array(32).fill(8), undefined);
      stream.write(handshake.challenge);
      return {
        onChunk: (chunk) => {
          const step = handshake.take(chunk);
          const proof = (step.state === "authenticated" && step.send) || new Uint8Array();
          stream.write(new Uint8Array([...proof, ...frames("at once")]));
        },
        onClose() {},
      };
    });
    await scene.client({ secret });
    const app = new App(scene.wire, CLIENT_APP);
    await scene.clock.settle();
    expect(app.texts).toEqual(["at once"]);
    await scene.end();
  });

  test("closes the connection when the tunnel is closed during the handshake", async () => {
    const scene = new Scene();
    let closed = false;
    listenRaw(scene, () => ({
      onChunk() {},
      onClose: () => {
        closed = true;
      },
    }));
    await scene.client({ secret });
    await scene.clock.settle();
    expect(closed).toBe(false);
    await scene.end();
    expect(closed).toBe(true);
  });

  test("ends with ERR_DIAL if it dials only once", async () => {
    const scene = new Scene();
    await scene.server();
    const { tunnel } = await scene.client({ secret, once: true });
    const closed = tunnel.closed.catch((error) => error);
    await scene.clock.advance(4000);
    expect(await closed).toMatchObject({ code: "ERR_DIAL", message: expect.stringContaining("secret") });
    await scene.end();
  });

  test("a client without a secret relays nothing of the challenge", async () => {
    const scene = new Scene();
    const { client, clientApp } = await scene.pair({ secret }, {});
    await scene.clock.advance(30_000);
    expect([clientApp.received, client.tunnel.counters.inbound.received]).toEqual([[], 0]);
    await scene.end();
  });
});
