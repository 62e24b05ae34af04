/** A client whose server accepts each connection and closes it without a frame. */

import { describe, expect, test } from "bun:test";
import type { TunnelEvent } from "../../../src/index.ts";
import { MemoryNetwork } from "../../support/memory/network.ts";
import { Scene, SERVER, TCP_PORT, UDP_PORT } from "../../support/memory-tunnels.ts";
import { frames, utf8 } from "../../support/text.ts";

const OTHER = "10.0.0.9";

describe("a server that accepts the connection and closes it", () => {
  /** Closes every connection after this many milliseconds. @param sent what the server sends first. */
  function closeAfter(scene: Scene, ms: number, sent?: Uint8Array): void {
    new MemoryNetwork(scene.wire, SERVER).listen({ port: TCP_PORT }, (stream) => {
      const timer = scene.clock.after(ms, () => stream.shutdown());
      stream.receive({
        onChunk() {},
        onDrain() {},
        onEnd: () => timer.cancel(),
        onClose: () => timer.cancel(),
      });
      if (sent !== undefined) stream.write(sent);
    });
  }
  const failures = (events: TunnelEvent[]) => events.filter(({ type }) => type === "dial failed");

  test.each([0, 50, 12_000])("after %p ms: one warning at once, and no other for a minute", async (ms) => {
    const scene = new Scene();
    closeAfter(scene, ms);
    const { warnings, tunnel } = await scene.client();
    await scene.clock.advance(ms + 50);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatchObject({
      type: "dial failed",
      code: "PEER_CLOSED",
      message: expect.stringMatching(
        /^10\.0\.0\.1:4000 accepted the connection and closed it without sending anything/,
      ),
    });
    await scene.clock.advance(59_000);
    expect(warnings).toHaveLength(1);
    expect(tunnel.counters.connects).toBeLessThan(20);
    await scene.end();
  });

  test("after invalid data: one warning", async () => {
    const scene = new Scene();
    closeAfter(scene, 0, utf8("HTTP/1.1 400 Bad Request"));
    const { warnings } = await scene.client();
    await scene.clock.advance(30_000);
    expect(failures(warnings)).toHaveLength(1);
    await scene.end();
  });

  test("after a frame: the connection was useful, so there is no warning", async () => {
    const scene = new Scene();
    closeAfter(scene, 0, frames("an answer"));
    const { warnings, tunnel } = await scene.client();
    await scene.clock.advance(30_000);
    expect(failures(warnings)).toEqual([]);
    expect(tunnel.counters.connects).toBeGreaterThan(5);
    await scene.end();
  });

  test("one warning for each cause, while other dials are refused in between", async () => {
    const scene = new Scene();
    closeAfter(scene, 0);
    scene.wire.dialFault = () => (scene.wire.dialled.length % 2 === 0 ? "ECONNRESET" : undefined);
    const { events, warnings } = await scene.client();
    await scene.clock.advance(30_000);
    expect(failures(events)).toHaveLength(11);
    expect(failures(warnings)).toMatchObject([{ code: "PEER_CLOSED" }, { code: "ECONNRESET" }]);
    await scene.end();
  });

  test("--once: the tunnel ends without an error, as in UDPTunnel 1.1", async () => {
    const scene = new Scene();
    closeAfter(scene, 0);
    const { tunnel } = await scene.client({ once: true });
    await scene.clock.advance(1100);
    await tunnel.closed;
    expect(scene.wire.dialled).toHaveLength(1);
    await scene.end();
  });

  test("the next address of its name is tried", async () => {
    const scene = new Scene();
    closeAfter(scene, 0);
    const other = await scene.server({ listen: `${OTHER}/${TCP_PORT}`, target: `10.0.1.1/${UDP_PORT + 1}` });
    scene.wire.names.set("server.example", [SERVER, OTHER]);
    await scene.client({ connect: `server.example/${TCP_PORT}` });
    await scene.clock.settle();
    expect(other.tunnel.counters.connects).toBe(1);
    await scene.end();
  });
});
