/** Options that cannot be combined with -p: the program prints one line and exits with 2. */

import { expect, test } from "bun:test";
import { RunningProgram, UDPTUNNEL } from "../../../scripts/running-program.ts";

test.each([
  [["-r", "127.0.0.1/5000"], "-r: does not go with -p; leave one of them out"],
  [["-R", "127.0.0.1/5000"], "-R: does not go with -p; leave one of them out"],
  [["-S", "127.0.0.1/5000"], "-S: does not go with -p; leave one of them out"],
  [["--once", "127.0.0.1/5000"], "--once: does not go with -p; leave one of them out"],
  [
    ["224.2.0.1/5000"],
    'UDP address: "224.2.0.1" is a multicast group, which does not go with -p; give a unicast address',
  ],
])("-p %p", async (args, line) => {
  await using program = new RunningProgram([...UDPTUNNEL, "-s", "4000", "-p", ...args]);
  expect(await program.exited).toBe(2);
  await program.stop();
  expect(program.lines).toEqual([`udptunnel: ${line}`, "udptunnel: udptunnel -h shows how it is used"]);
});
