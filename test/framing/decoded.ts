import { FrameDecoder } from "../../src/framing/index.ts";

/** A decoder that checks its invariants after each call. */
export class CheckedDecoder extends FrameDecoder {
  override push(chunk: Uint8Array): void {
    super.push(chunk);
    this.invariants();
  }

  override next(): boolean {
    const found = super.next();
    this.invariants();
    return found;
  }
}

/** The payloads that a decoder returns until it needs the next chunk, each as hex. */
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
export function decoded(
  chunks: Iterable<Uint8Array>,
  decoder: FrameDecoder = new CheckedDecoder(),
): string[] {
  const payloads: string[] = [];
  for (const chunk of chunks) {
    decoder.push(chunk);
    payloads.push(...takeAll(decoder));
  }
  return payloads;
}
