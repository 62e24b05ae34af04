/** Defects of the program are thrown unchanged, not as network failures, and stop no other work. */

import { expect, test } from "bun:test";
import { encodeFrame } from "../../src/framing/index.ts";
import { dialChannel, startClient, startServer } from "../../src/index.ts";
import { MemoryNetwork, MemoryWire } from "../support/memory/network.ts";

/** Runs a scenario of defects-program.ts. */
async function resultOf(scenario: string): Promise<object> {
  const program = new URL("defects-program.ts", import.meta.url).pathname;
  const command = [process.execPath, program, scenario];
  const child = Bun.spawn(command, { stdout: "pipe", stderr: "inherit", timeout: 15_000 });
  return JSON.parse((await child.stdout.text()) || '"nothing was printed"');
}

const DEFECT = "TypeError: defect";

test("a defect in a peer-mode client's dial ends the tunnel, and is not a failed dial", async () => {
  expect(await resultOf("a peer-mode client's dial")).toEqual({
    closed: DEFECT,
    events: ["listening"],
    uncaught: [DEFECT],
  });
});

test("a defect in a session's dial is not a failed dial, and other sessions still dial", async () => {
  expect(await resultOf("a dial of a client with sessions")).toEqual({
    failed: false,
    answers: ["re again"],
    uncaught: [DEFECT],
  });
});

test("a defect when a session gets its stream does not occupy a dial permanently", async () => {
  expect(await resultOf("a session's new stream")).toEqual({
    answers: ["re again"],
    uncaught: Array.from({ length: 64 }, () => DEFECT),
  });
});

test("a defect while a tunnel closes does not keep it from closing", async () => {
  expect(await resultOf("the end of a tunnel")).toEqual({
    closed: [DEFECT, "Error: the reason"],
    ends: ["settled", "settled"],
    phase: "closed",
    uncaught: [DEFECT, "TypeError: another"],
  });
});

/** A network on which one call throws an error that is not a NetError. */
function broken(call: "resolve" | "openDatagramPort" | "listen" | "dial"): MemoryNetwork {
  const network = new MemoryNetwork(new MemoryWire(), "10.0.0.1");
  network[call] = () => {
    throw new TypeError("defect");
  };
  return network;
}

const target = "10.0.1.1/5000";

test.each(["resolve", "openDatagramPort", "listen"] as const)(
  "a defect in %s is not wrapped as ERR_...",
  async (call) => {
    const start = startServer({ listen: "10.0.0.1/4000", target }, { network: broken(call) });
    await expect(start).rejects.toThrow(TypeError);
  },
);

test("a defect in a session client's bind is not wrapped as ERR_UDP_BIND", async () => {
  const options = { connect: "10.0.0.2/4000", target, perSource: true };
  await expect(startClient(options, { network: broken("openDatagramPort") })).rejects.toThrow(TypeError);
});

test.each(["resolve", "dial"] as const)(
  "a defect in a channel's %s is not wrapped as ERR_DIAL",
  async (call) => {
    const dialled = dialChannel({ connect: "10.0.0.2/4000" }, { network: broken(call) });
    await expect(dialled).rejects.toThrow(TypeError);
  },
);

test("a defect when a channel gets its stream rejects the dial", async () => {
  const network = broken("resolve");
  network.resolve = async (host) => [host];
  network.dial = () => ({ stream: Promise.resolve({} as never), cancel() {} });
  await expect(dialChannel({ connect: "10.0.0.2/4000" }, { network })).rejects.toThrow(TypeError);
});

test("a defect when a session opens its socket is not counted as a dropped datagram", async () => {
  const wire = new MemoryWire();
  const network = new MemoryNetwork(wire, "10.0.0.1");
  network.openDatagramPort = () => {
    throw new TypeError("defect");
  };
  const options = { listen: "10.0.0.1/4000", target, perSource: true };
  const server = await startServer(options, { network });
  const dial = new MemoryNetwork(wire, "10.0.0.2").dial({ address: "10.0.0.1", port: 4000 });
  void dial.stream.then((stream) => stream.write(encodeFrame(new Uint8Array(1))));
  await expect(wire.clock.settle()).rejects.toThrow(TypeError);
  expect(server.counters.inbound.dropped["receive only"]).toBe(0);
});

test("a defect in a repeated look-up of the target is not reported as a failed look-up", async () => {
  expect(await resultOf("looking a target's name up again")).toEqual({
    events: ["listening", "session opened"],
    uncaught: [DEFECT],
  });
});
