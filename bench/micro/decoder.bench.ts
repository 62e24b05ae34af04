import { encodeFrame, FrameDecoder, HEADER_BYTES, PAYLOAD_BYTES_MAX } from "../../src/framing/index.ts";
import { BATCH_DATAGRAMS, cycle, type Load, type MicroBench } from "./micro-bench.ts";

// About one TCP read under load. Not a multiple of a frame, so that a frame straddles most cuts.
const CHUNK_BYTES = 65_521;
const CHUNKS_MIN = 8;

/** The frames of a load as one endless stream, in chunks. */
function chunksOf({ datagrams }: Load): () => Uint8Array {
  const once = Buffer.concat(datagrams.map(encodeFrame));
  const repeats = Math.ceil((CHUNKS_MIN * CHUNK_BYTES) / once.length);
  const stream = Buffer.concat(Array.from({ length: repeats }, () => once));
  const chunks: Uint8Array[] = [];
  for (let position = 0; position < stream.length; position += CHUNK_BYTES) {
    chunks.push(new Uint8Array(stream.subarray(position, position + CHUNK_BYTES)));
  }
  return cycle(chunks);
}

function ours(load: Load): () => unknown {
  const nextChunk = chunksOf(load);
  const decoder = new FrameDecoder();
  return () => {
    let sum = 0;
    for (let count = 0; count < BATCH_DATAGRAMS; count++) {
      while (!decoder.next()) decoder.push(nextChunk());
      sum += decoder.length + (decoder.bytes[decoder.start] ?? 0);
    }
    return sum;
  };
}

/**
 * Each read fills a fixed buffer. Then one frame is handed on, and the bytes after it move to the front. A
 * read is a copy out of the chunk.
 */
function naive(load: Load): () => unknown {
  const nextChunk = chunksOf(load);
  const buffer = new Uint8Array(HEADER_BYTES + PAYLOAD_BYTES_MAX);
  let filled = 0;
  let chunk = nextChunk();
  let position = 0;
  const read = () => {
    if (position === chunk.length) {
      chunk = nextChunk();
      position = 0;
    }
    const part = chunk.subarray(position, position + buffer.length - filled);
    buffer.set(part, filled);
    filled += part.length;
    position += part.length;
  };
  const frameBytes = () =>
    filled < HEADER_BYTES ? Infinity : HEADER_BYTES + (((buffer[0] as number) << 8) | (buffer[1] as number));
  return () => {
    let sum = 0;
    for (let count = 0; count < BATCH_DATAGRAMS; count++) {
      do read();
      while (filled < frameBytes());
      const end = frameBytes();
      sum += end - HEADER_BYTES + (end > HEADER_BYTES ? (buffer[HEADER_BYTES] as number) : 0);
      buffer.copyWithin(0, end, filled);
      filled -= end;
    }
    return sum;
  };
}

export default {
  name: "decoder",
  about: "payloads out of chunks of 64 KiB; naive: one frame per read, the rest moved to the front each time",
  ours,
  naive,
} satisfies MicroBench;
