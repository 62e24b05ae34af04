/** Shared code of the authentication tests: secrets, and raw connections to a server with a secret. */

import { ClientHandshake } from "../../src/auth/handshake.ts";
import { secretOf } from "../options/secret-of.ts";
import type { Scene } from "../support/memory-tunnels.ts";

export const secret = "known-to-both-ends";
export const other = "known-to-one-end-only";
export const OTHER = "10.0.0.3";

/** The response of a client that knows this secret. */
export function responseTo(challenge: Uint8Array, known = secret): Uint8Array {
  const step = new ClientHandshake(secretOf(known), new Uint8Array(32).fill(7), undefined).take(challenge);
  return (step.state === "incomplete" && step.send) || new Uint8Array();
}

/** Opens a raw connection and reads the challenge. */
export async function connect(scene: Scene, from: string) {
  const { stream, observed } = await scene.connect(from);
  const [challenge = new Uint8Array()] = observed.chunks.splice(0);
  return { stream, observed, challenge };
}

/** Opens a raw connection and authenticates it. @param after is sent directly after the response. */
export async function authenticate(scene: Scene, from: string, after = new Uint8Array()) {
  const { stream, observed, challenge } = await connect(scene, from);
  stream.write(new Uint8Array([...responseTo(challenge), ...after]));
  await scene.clock.settle();
  return { stream, observed };
}
