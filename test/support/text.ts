/** Text as bytes and as frames. */

import { encodeFrame } from "../../src/framing/index.ts";

export const utf8 = (text: string) => new TextEncoder().encode(text);

export const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** One frame for each text, in one array. */
export function frames(...texts: string[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.concat(texts.map((each) => encodeFrame(utf8(each)))));
}
