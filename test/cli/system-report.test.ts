/** What the program says of the sockets it was given. */

import { expect, test } from "bun:test";
import { describe } from "../../src/observe/describe.ts";
import { freeTcpPort, freeUdpPort } from "../support/loopback.ts";
import { Program } from "../support/program.ts";

test("with -v the program says whether segment offload is in use", async () => {
  const ends = [
    "-s",
    `127.0.0.1/${freeTcpPort()}`,
    "--bind",
    "127.0.0.1",
    `127.0.0.2/${await freeUdpPort()}`,
  ];
  await using program = new Program(["-v", "--offload", "off", ...ends]);
  await program.says("segment offload not in use (not ");
});

test("a buffer smaller than asked for comes with what to do about it", () => {
  const granted = { type: "socket settings", segmentOffload: true, socketBufferBytes: 8192 } as const;
  expect(describe({ ...granted, receiveBufferBytes: 4096 })).toBe(
    "segment offload in use; UDP receive buffer: 4096 bytes of the 8192 asked for; sysctl net.core.rmem_max=8192 allows more",
  );
  expect(describe({ ...granted, receiveBufferBytes: 8192 })).toBe(
    "segment offload in use; UDP receive buffer: 8192 bytes",
  );
  expect(describe({ ...granted, segmentOffload: false, offloadLack: "EIO" })).toBe(
    "segment offload not in use (EIO)",
  );
});
