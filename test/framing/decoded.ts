import { FrameDecoder } from "../../src/framing/index.ts";

/** The payloads a decoder hands out until it asks for more, each as hex. */
export function takeAll(decoder: FrameDecoder): string[] {
  const payloads: string[] = [];
  while (decoder.next()) payloads.push(currentPayload(decoder).toHex());
  return payloads;
}

/** A view of the decoder's current payload. */
export function currentPayload(decoder: FrameDecoder): Uint8Array {
  return decoder.bytes.subarray(decoder.start, decoder.start + decoder.length);
}

/** The payloads in a stream cut into these chunks, each as hex. */
export function decoded(chunks: Iterable<Uint8Array>): string[] {
  const decoder = new FrameDecoder();
  const payloads: string[] = [];
  for (const chunk of chunks) {
    decoder.push(chunk);
    payloads.push(...takeAll(decoder));
  }
  return payloads;
}
