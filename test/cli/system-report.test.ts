/** The report of what the system grants to sockets. */

import { expect, test } from "bun:test";
import { describeEvent } from "../../src/observe/describe-event.ts";
import type { TunnelEvent } from "../../src/observe/events.ts";
import { COMMAND_LINE } from "../../src/options/input-style.ts";
import { freeTcpPort, freeUdpPort } from "../support/loopback.ts";
import { Program } from "../support/program.ts";

test("-v logs whether segment offload is in use", async () => {
  const ends = [
    "-s",
    `127.0.0.1/${freeTcpPort()}`,
    "--bind",
    "127.0.0.1",
    `127.0.0.2/${await freeUdpPort()}`,
  ];
  await using program = new Program(["-v", "--offload", "off", ...ends]);
  await program.says("segment offload not in use (");
});

test("the report of a buffer smaller than requested has the remedy", () => {
  const granted = { type: "socket settings", segmentOffload: true, socketBufferBytes: 8192 } as const;
  const text = (event: TunnelEvent) => describeEvent(event, COMMAND_LINE.nameOf);
  expect(text({ ...granted, receiveBufferBytes: 4096 })).toBe(
    "segment offload in use; UDP receive buffer: 4096 bytes of the 8192 requested (--socket-buffer); " +
      "sysctl net.core.rmem_max=8192 allows more",
  );
  expect(text({ ...granted, receiveBufferBytes: 8192 })).toBe(
    "segment offload in use; UDP receive buffer: 8192 bytes",
  );
  expect(text({ ...granted, segmentOffload: false, offloadOffReason: "EIO" })).toBe(
    "segment offload not in use (EIO)",
  );
});
