import { describe, expect, test } from "bun:test";
import { encodeFrame, FrameDecoder } from "../../src/framing/index.ts";
import { CheckedDecoder, currentPayload, decoded, takeAll } from "./decoded.ts";

const bytes = (hex: string) => Uint8Array.fromHex(hex);

describe("whole frames in a chunk", () => {
  test.each([
    ["an empty payload", "0000", [""]],
    ["one byte", "000161", ["61"]],
    ["coalesced frames", "0001610002626300000001ff", ["61", "6263", "", "ff"]],
    ["empty payloads only", "000000000000", ["", "", ""]],
    ["payloads that look like headers", "0002ffff00020000", ["ffff", "0000"]],
  ])("%s", (_, stream, payloads) => {
    expect(decoded([bytes(stream)])).toEqual(payloads);
  });

  test.each([255, 256, 65_535])("a payload of %d bytes", (length) => {
    const payload = new Uint8Array(length).map((_, index) => index * 7);
    expect(decoded([encodeFrame(payload)])).toEqual([payload.toHex()]);
  });

  test("are returned inside the chunk, without a copy", () => {
    const chunk = bytes("00016100026263");
    const decoder = new CheckedDecoder();
    decoder.push(chunk);
    decoder.next();
    decoder.next();
    expect(decoder.bytes).toBe(chunk);
    expect([decoder.start, decoder.length]).toEqual([5, 2]);
  });
});

describe("frames that straddle chunks", () => {
  test.each([
    ["a header cut in two", ["00", "0161"], ["61"]],
    ["an empty frame cut in two", ["00", "00"], [""]],
    ["a header alone, then its payload", ["0002", "6263"], ["6263"]],
    ["a payload cut in two", ["000262", "63"], ["6263"]],
    [
      "the end of one frame, the next and the start of a third",
      ["000261", "6200016300", "0164"],
      ["6162", "63", "64"],
    ],
    ["an empty chunk inside a header", ["00", "", "0161"], ["61"]],
    ["an empty chunk inside a payload", ["000261", "", "62"], ["6162"]],
    ["a long length's high byte", ["01", `00${"aa".repeat(256)}`], ["aa".repeat(256)]],
  ])("%s", (_, chunks, payloads) => {
    expect(decoded(chunks.map(bytes))).toEqual(payloads);
  });

  test.each([0, 1, 255, 256, 65_535])("a payload of %d bytes in chunks of one byte", (length) => {
    const payload = new Uint8Array(length).map((_, index) => index * 5);
    const stream = [...encodeFrame(payload), ...bytes("000161")];
    const chunks = stream.map((byte) => Uint8Array.of(byte));
    // Checking the invariants 65,537 times would take seconds.
    const decoder = length > 256 ? new FrameDecoder() : new CheckedDecoder();
    expect(decoded(chunks, decoder)).toEqual([payload.toHex(), "61"]);
  });

  test("a payload that the caller keeps is never written again", () => {
    const decoder = new CheckedDecoder();
    const kept: Uint8Array[] = [];
    for (const chunk of ["000361", "62630003", "646566", "0003676869"]) {
      decoder.push(bytes(chunk));
      while (decoder.next()) kept.push(currentPayload(decoder));
    }
    expect(kept.map((payload) => payload.toHex())).toEqual(["616263", "646566", "676869"]);
  });
});

describe("a caller that stops", () => {
  test("finds the payload of a straddling frame unchanged after a push, then the next frame", () => {
    const decoder = new CheckedDecoder();
    decoder.push(bytes("000261"));
    expect(decoder.next()).toBe(false);
    decoder.push(bytes("62000263640002"));
    expect(decoder.next()).toBe(true);
    decoder.push(bytes("6566"));
    expect(currentPayload(decoder).toHex()).toBe("6162");
    expect(takeAll(decoder)).toEqual(["6364", "6566"]);
  });

  test("may push before a chunk is walked to its end", () => {
    const decoder = new CheckedDecoder();
    decoder.push(bytes("00016100"));
    decoder.push(bytes("0262"));
    expect(decoder.next()).toBe(true);
    decoder.push(bytes("63000164"));
    expect(currentPayload(decoder).toHex()).toBe("61");
    decoder.push(bytes(""));
    expect(takeAll(decoder)).toEqual(["6263", "64"]);
  });

  test("may push more than once into an incomplete frame", () => {
    const decoder = new CheckedDecoder();
    decoder.push(bytes("000361"));
    expect(decoder.next()).toBe(false);
    decoder.push(bytes("62"));
    decoder.push(bytes("630001"));
    decoder.push(bytes("64"));
    expect(takeAll(decoder)).toEqual(["616263", "64"]);
  });
});

describe("memory", () => {
  test("undecodedBytes counts each byte from push until `next` returns its frame", () => {
    const decoder = new CheckedDecoder();
    const seen = [decoder.undecodedBytes];
    decoder.push(bytes("00016100"));
    seen.push(decoder.undecodedBytes);
    decoder.next();
    seen.push(decoder.undecodedBytes);
    decoder.next();
    seen.push(decoder.undecodedBytes);
    decoder.push(bytes("0362"));
    decoder.next();
    seen.push(decoder.undecodedBytes);
    decoder.push(bytes("636400"));
    seen.push(decoder.undecodedBytes);
    decoder.next();
    seen.push(decoder.undecodedBytes);
    expect(seen).toEqual([0, 4, 1, 1, 3, 6, 1]);
  });

  test("a decoder without whole frames keeps no chunk", () => {
    const decoder = new CheckedDecoder();
    decoder.push(bytes("000161"));
    expect(takeAll(decoder)).toEqual(["61"]);
    expect([decoder.bytes.length, decoder.start, decoder.length]).toEqual([0, 0, 0]);
  });

  test("the buffer of a long straddling payload grows with the bytes that arrive, to exactly its length", () => {
    const decoder = new CheckedDecoder(); // checks after each call that at most twice as much is in use
    decoder.push(bytes("ffff"));
    for (let arrived = 0; arrived < 65_535; arrived += 4369) {
      expect(decoder.next()).toBe(false);
      decoder.push(new Uint8Array(4369).fill(arrived / 4369));
    }
    expect(decoder.next()).toBe(true);
    expect(decoder.bytes.buffer.byteLength).toBe(65_535);
    expect(decoder.bytes.every((byte, at) => byte === Math.floor(at / 4369))).toBe(true);
  });

  test("a straddling payload has an ArrayBuffer of exactly its length", () => {
    const decoder = new CheckedDecoder();
    decoder.push(bytes("000261"));
    decoder.next();
    decoder.push(bytes("62"));
    decoder.next();
    expect(decoder.bytes.buffer.byteLength).toBe(2);
  });
});
