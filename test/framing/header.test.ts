import { describe, expect, test } from "bun:test";
import {
  encodeFrame,
  HEADER_BYTES,
  PAYLOAD_BYTES_MAX,
  UDP4_PAYLOAD_BYTES_MAX,
  UDP6_PAYLOAD_BYTES_MAX,
} from "../../src/framing/index.ts";

describe("encodeFrame", () => {
  test.each([
    ["", "0000"],
    ["61", "000161"],
    ["00", "000100"],
    ["ffff", "0002ffff"],
    ["68656c6c6f", "000568656c6c6f"],
  ])("frames %p as %p", (payload, frame) => {
    expect(encodeFrame(Uint8Array.fromHex(payload)).toHex()).toBe(frame);
  });

  test.each([
    [255, "00ff"],
    [256, "0100"],
    [65_507, "ffe3"],
    [65_535, "ffff"],
  ])("announces %d bytes as %p", (length, header) => {
    const frame = encodeFrame(new Uint8Array(length).fill(0xab));
    expect(frame.subarray(0, 2).toHex()).toBe(header);
    expect(frame.subarray(2)).toEqual(new Uint8Array(length).fill(0xab));
  });

  test("frames the bytes of a view, not of its whole buffer", () => {
    expect(encodeFrame(Uint8Array.fromHex("aabbccdd").subarray(1, 3)).toHex()).toBe("0002bbcc");
  });

  test("refuses a datagram that no header can announce", () => {
    expect(() => encodeFrame(new Uint8Array(65_536))).toThrow(RangeError);
  });

  test("returns new memory", () => {
    const datagram = Uint8Array.fromHex("0102");
    const frame = encodeFrame(datagram);
    datagram.fill(0xff);
    expect(frame.toHex()).toBe("00020102");
  });
});

test("the constants are those of the wire format", () => {
  expect([HEADER_BYTES, PAYLOAD_BYTES_MAX, UDP4_PAYLOAD_BYTES_MAX, UDP6_PAYLOAD_BYTES_MAX]).toEqual([
    2, 65_535, 65_507, 65_527,
  ]);
});
