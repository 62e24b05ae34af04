/** Options with another meaning in per-source mode, and options that cannot be combined with it. */

import { expect, test } from "bun:test";
import { RunningProgram, UDPTUNNEL } from "../../../scripts/running-program.ts";
import { startClient } from "../../../src/index.ts";
import { freeUdpPort } from "../../support/loopback.ts";

const CONNECT = "127.0.0.1/9";

test("a client listens on the address of bind, at the port of bind or else at the target's", async () => {
  const port = await freeUdpPort();
  const udpOf = async (bind: string, target: string) => {
    await using tunnel = await startClient({ connect: CONNECT, perSource: true, target, bind });
    return tunnel.udp;
  };
  expect(await udpOf("127.0.0.3", `127.0.0.2/${port}`)).toEqual([{ address: "127.0.0.3", port }]);
  expect(await udpOf(`127.0.0.3/${port}`, "127.0.0.2/9")).toEqual([{ address: "127.0.0.3", port }]);
  // The target's name is not looked up.
  expect(await udpOf(`127.0.0.3/${port}`, "unknown.invalid/9")).toEqual([{ address: "127.0.0.3", port }]);
});

test("a datagram to the address of bind opens a session", async () => {
  const port = await freeUdpPort();
  await using tunnel = await startClient({
    connect: CONNECT,
    perSource: true,
    target: "127.0.0.2/9",
    bind: `127.0.0.3/${port}`,
  });
  const opened = new Promise((resolve) => tunnel.on("session opened", resolve));
  const app = await Bun.udpSocket({ hostname: "127.0.0.4", port: 0 });
  app.send("hello", port, "127.0.0.3");
  await opened;
  app.close();
});

test.each([
  [["-r", "127.0.0.1/5000"], "-r: does not go with -p; leave one of them out"],
  [["-R", "127.0.0.1/5000"], "-R: does not go with -p; leave one of them out"],
  [["-S", "127.0.0.1/5000"], "-S: does not go with -p; leave one of them out"],
  [["--once", "127.0.0.1/5000"], "--once: does not go with -p; leave one of them out"],
  [
    ["224.2.0.1/5000"],
    'UDP address: "224.2.0.1" is a multicast group, which does not go with -p; give a unicast address',
  ],
])("the program rejects -p %p", async (args, line) => {
  await using program = new RunningProgram([...UDPTUNNEL, "-s", "4000", "-p", ...args]);
  expect(await program.exited).toBe(2);
  await program.stop();
  expect(program.lines).toEqual([`udptunnel: ${line}`, "udptunnel: udptunnel -h shows how it is used"]);
});
