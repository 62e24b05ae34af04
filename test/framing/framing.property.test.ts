import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { encodeFrame, HEADER_BYTES, PAYLOAD_BYTES_MAX } from "../../src/framing/index.ts";
import { CheckedDecoder, decoded, takeAll } from "./decoded.ts";

const length = fc.oneof(
  { weight: 20, arbitrary: fc.constantFrom(0, 1, 2, 3) },
  { weight: 20, arbitrary: fc.integer({ min: 0, max: 600 }) },
  { weight: 1, arbitrary: fc.constantFrom(PAYLOAD_BYTES_MAX - 1, PAYLOAD_BYTES_MAX) },
);

/** A payload of that length. Its bytes come from a seed: shrinking an array of bytes takes very long. */
const datagram = fc.tuple(length, fc.nat(0xffff)).map(([bytes, seed]) => {
  let state = seed;
  return new Uint8Array(bytes).map(() => {
    state = (state * 1103515245 + 12345) >>> 0;
    return state >>> 16;
  });
});
const datagrams = fc.array(datagram, { maxLength: 24 });

/** Chunk lengths, repeated until the end of the stream; 0 is an empty chunk. */
const chunkLengths = fc
  .array(
    fc.oneof(
      fc.constantFrom(0, 1, 2, 3),
      fc.integer({ min: 1, max: 800 }),
      fc.integer({ min: 1, max: 200_000 }),
    ),
    { minLength: 1, maxLength: 30 },
  )
  .map((lengths) => [...lengths, 1000]);

function* cut(stream: Uint8Array, lengths: number[]): Generator<Uint8Array> {
  for (let position = 0, index = 0; position < stream.length; index++) {
    const chunk = stream.slice(position, position + (lengths[index % lengths.length] ?? 1));
    position += chunk.length;
    yield chunk;
  }
}

const streamOf = (payloads: Uint8Array[]) => Buffer.concat(payloads.map(encodeFrame));
const hexOf = (payloads: Uint8Array[]) => payloads.map((payload) => payload.toHex());

describe("any datagrams in any chunks", () => {
  test("are decoded exactly", () => {
    fc.assert(
      fc.property(datagrams, chunkLengths, (sent, lengths) => {
        expect(decoded(cut(streamOf(sent), lengths))).toEqual(hexOf(sent));
      }),
    );
  });

  test("are decoded exactly when the caller stops anywhere and pushes more chunks", () => {
    const takes = fc.array(fc.nat(4), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(datagrams, chunkLengths, takes, (sent, lengths, takeCounts) => {
        const decoder = new CheckedDecoder();
        const taken: string[] = [];
        let index = 0;
        for (const chunk of cut(streamOf(sent), lengths)) {
          decoder.push(chunk);
          const takeMax = takeCounts[index++ % takeCounts.length] ?? 0;
          for (let count = 0; count < takeMax && decoder.next(); count++) {
            taken.push(decoder.bytes.subarray(decoder.start, decoder.start + decoder.length).toHex());
          }
        }
        expect([...taken, ...takeAll(decoder)]).toEqual(hexOf(sent));
        expect(decoder.undecodedBytes).toBe(0);
      }),
    );
  });

  test("the counts of undecoded frames and bytes are exact after each step", () => {
    const takes = fc.array(fc.nat(4), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(datagrams, chunkLengths, takes, (sent, lengths, takeCounts) => {
        const decoder = new CheckedDecoder();
        let pushed = 0;
        let taken = 0;
        let index = 0;
        for (const chunk of cut(streamOf(sent), lengths)) {
          decoder.push(chunk);
          pushed += chunk.length;
          const takeMax = takeCounts[index++ % takeCounts.length] ?? 0;
          for (let count = 0; count < takeMax && decoder.next(); count++) taken++;
          const ends = sent.map((_, index) => streamOf(sent.slice(0, index + 1)).length);
          const undecoded = sent.slice(taken, ends.filter((end) => end <= pushed).length);
          expect(decoder.frames).toBe(undecoded.length);
          expect(decoder.framesBytes).toBe(undecoded.reduce((sum, { length: bytes }) => sum + bytes, 0));
        }
      }),
    );
  });

  test("payloads kept without a copy do not change", () => {
    fc.assert(
      fc.property(datagrams, chunkLengths, (sent, lengths) => {
        const decoder = new CheckedDecoder();
        const kept: Uint8Array[] = [];
        for (const chunk of cut(streamOf(sent), lengths)) {
          decoder.push(chunk);
          while (decoder.next()) {
            kept.push(decoder.bytes.subarray(decoder.start, decoder.start + decoder.length));
          }
        }
        expect(hexOf(kept)).toEqual(hexOf(sent));
      }),
    );
  });
});

describe("a damaged stream", () => {
  const damaged = fc
    .tuple(fc.array(datagram, { minLength: 1, maxLength: 24 }), chunkLengths)
    .chain(([sent, lengths]) => {
      const stream = streamOf(sent);
      return fc.nat(stream.length * 8 - 1).map((bit) => ({ sent, lengths, stream, bit }));
    });

  test("with one flipped bit has the payloads before it unchanged; a bit of a payload changes only that one", () => {
    fc.assert(
      fc.property(damaged, ({ sent, lengths, stream, bit }) => {
        const position = bit >> 3;
        stream[position] = (stream[position] ?? 0) ^ (1 << (bit & 7));
        let hit = 0;
        let frameStart = 0;
        for (const { length } of sent) {
          if (position < frameStart + HEADER_BYTES + length) break;
          frameStart += HEADER_BYTES + length;
          hit++;
        }
        const expected = hexOf(sent);
        const received = decoded(cut(stream, lengths));
        if (position < frameStart + HEADER_BYTES) {
          expect(received.slice(0, hit)).toEqual(expected.slice(0, hit));
        } else {
          const payloadStart = frameStart + HEADER_BYTES;
          expected[hit] = stream.subarray(payloadStart, payloadStart + (sent[hit]?.length ?? 0)).toHex();
          expect(received).toEqual(expected);
        }
      }),
    );
  });

  test("or random bytes cause no exception and no lost byte, and take memory of one frame and the chunk", () => {
    const noise = fc.array(fc.uint8Array({ maxLength: 3000 }), { maxLength: 40 });
    const flipped = damaged.map(({ lengths, stream, bit }) => {
      stream[bit >> 3] = (stream[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      return [...cut(stream, lengths)];
    });
    fc.assert(
      fc.property(fc.oneof(noise, flipped), (chunks) => {
        const decoder = new CheckedDecoder();
        let undecoded = 0;
        for (const chunk of chunks) {
          decoder.push(chunk);
          undecoded += chunk.length;
          expect(decoder.undecodedBytes).toBeLessThanOrEqual(HEADER_BYTES + PAYLOAD_BYTES_MAX + chunk.length);
          while (decoder.next()) undecoded -= HEADER_BYTES + decoder.length;
          expect(decoder.undecodedBytes).toBeLessThan(HEADER_BYTES + PAYLOAD_BYTES_MAX);
          expect(decoder.undecodedBytes).toBe(undecoded);
        }
      }),
    );
  });
});
