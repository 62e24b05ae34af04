/**
 * The proof that both ends know one secret, before the first frame (docs/protocol.md gives every byte):
 *
 *   server -> client   challenge      header, server's nonce                    40 bytes, as soon as a client is there
 *   client -> server   response       header, client's nonce, client's proof    72 bytes
 *   server -> client   confirmation   server's proof                            32 bytes
 *
 * A proof is an HMAC under the secret of everything said before it, of who says it, and of the TLS connection if there
 * is one. So a proof is good for one connection, one end and one moment: it cannot be replayed, nor sent back to whom it
 * came from.
 *
 * The client proves itself first: whoever can reach the server gets nothing out of it that was made with the secret,
 * while a client chooses whom it dials.
 *
 * Pure: no sockets, no clock, and nonces are arguments.
 */

import { timingSafeEqual } from "node:crypto";
import type { Secret } from "../options/secret.ts";

/** Random bytes of each end, never used twice. */
export const NONCE_BYTES = 32;
const PROOF_BYTES = 32;
/**
 * 0xFFFF, `udpt`, version 1. As a frame's header the first two bytes announce more than UDP can carry (RFC 768), so an
 * end that expects no handshake waits for the rest of a datagram that never comes, and relays nothing of this.
 */
const HEADER = Uint8Array.of(0xff, 0xff, 0x75, 0x64, 0x70, 0x74, 0x00, 0x01);
const VERSION_AT = 6;
const CHALLENGE_BYTES = HEADER.length + NONCE_BYTES;
const RESPONSE_BYTES = HEADER.length + NONCE_BYTES + PROOF_BYTES;

/** What the keying material of a TLS connection is exported as (RFC 5705), without a context value, and how much. */
export const CHANNEL_LABEL = "EXPERIMENTAL udptunnel secret 1";
export const CHANNEL_BYTES = 32;

const CLIENT_ROLE = new TextEncoder().encode("udptunnel secret 1 client\0");
const SERVER_ROLE = new TextEncoder().encode("udptunnel secret 1 server\0");

/** Why the other end has not proved that it knows the secret. */
export type HandshakeFailure =
  | "no handshake" // what it sent is something else
  | "unsupported version" // a handshake of a version not known here
  | "invalid proof"; // it does not know the secret, or sends what was said in another connection

/** Where a handshake is after a chunk. */
export type Step =
  /** More bytes are needed. `send`: to be sent now. */
  | { state: "going on"; send?: Uint8Array }
  /** The other end knows the secret. `rest`: what came after the handshake, part of the chunk given. */
  | { state: "authenticated"; send?: Uint8Array; rest: Uint8Array }
  /** The connection is of no use; nothing may be sent on it. */
  | { state: "failed"; failure: HandshakeFailure };

/** One end's side. After a step that is not `going on`, `take` must not be called again. */
export interface Handshake {
  /** Takes what came, cut anywhere. @param chunk borrowed until return, but for the `rest` that is part of it. */
  take(chunk: Uint8Array): Step;
}

/** The server's side: `challenge` is to be sent first. */
export class ServerHandshake implements Handshake {
  readonly challenge: Uint8Array;
  readonly #secret: Secret;
  readonly #channel: Uint8Array;
  readonly #response = new FixedMessage(RESPONSE_BYTES, HEADER);

  /**
   * @param nonce {@link NONCE_BYTES} random bytes, never used before.
   * @param keyingMaterial {@link CHANNEL_BYTES} bytes of the TLS connection; undefined when there is none.
   */
  constructor(secret: Secret, nonce: Uint8Array, keyingMaterial: Uint8Array | undefined) {
    this.#secret = secret;
    this.#channel = channelOf(keyingMaterial);
    this.challenge = concat(HEADER, nonce);
  }

  take(chunk: Uint8Array): Step {
    const { failure, rest } = this.#response.take(chunk);
    if (failure !== undefined) return { state: "failed", failure };
    if (rest === undefined) return { state: "going on" };
    const said = concat(this.challenge, this.#response.bytes.subarray(0, CHALLENGE_BYTES), this.#channel);
    const proof = this.#response.bytes.subarray(CHALLENGE_BYTES);
    if (!timingSafeEqual(proof, this.#secret.sign(CLIENT_ROLE, said))) {
      return { state: "failed", failure: "invalid proof" };
    }
    return { state: "authenticated", send: this.#secret.sign(SERVER_ROLE, said, proof), rest };
  }
}

/** The client's side: it speaks when it has been asked. */
export class ClientHandshake implements Handshake {
  readonly #secret: Secret;
  readonly #nonce: Uint8Array;
  readonly #channel: Uint8Array;
  readonly #challenge = new FixedMessage(CHALLENGE_BYTES, HEADER);
  readonly #confirmation = new FixedMessage(PROOF_BYTES);
  #expected: Uint8Array | undefined;

  /** @param nonce @param keyingMaterial as for {@link ServerHandshake}. */
  constructor(secret: Secret, nonce: Uint8Array, keyingMaterial: Uint8Array | undefined) {
    this.#secret = secret;
    this.#nonce = nonce;
    this.#channel = channelOf(keyingMaterial);
  }

  /** Whether the server has asked for the proof, and has got it. */
  get responded(): boolean {
    return this.#expected !== undefined;
  }

  take(chunk: Uint8Array): Step {
    if (this.#expected !== undefined) return this.#confirm(chunk, this.#expected);
    const { failure, rest } = this.#challenge.take(chunk);
    if (failure !== undefined) return { state: "failed", failure };
    if (rest === undefined) return { state: "going on" };
    // A server that goes on before it has the response cannot know what to say.
    if (rest.length > 0) return { state: "failed", failure: "no handshake" };
    const opening = concat(HEADER, this.#nonce);
    const said = concat(this.#challenge.bytes, opening, this.#channel);
    const proof = this.#secret.sign(CLIENT_ROLE, said);
    this.#expected = this.#secret.sign(SERVER_ROLE, said, proof);
    return { state: "going on", send: concat(opening, proof) };
  }

  #confirm(chunk: Uint8Array, expected: Uint8Array): Step {
    const { rest } = this.#confirmation.take(chunk);
    if (rest === undefined) return { state: "going on" };
    if (!timingSafeEqual(this.#confirmation.bytes, expected)) {
      return { state: "failed", failure: "invalid proof" };
    }
    return { state: "authenticated", rest };
  }
}

/** Collects a message of a known size; one that cannot begin like this is noticed at its first wrong byte. */
class FixedMessage {
  readonly bytes: Uint8Array;
  readonly #prefix: Uint8Array;
  #length = 0;

  constructor(size: number, prefix = new Uint8Array()) {
    this.bytes = new Uint8Array(size);
    this.#prefix = prefix;
  }

  /** @returns `rest` once the message is whole: what of the chunk came after it. */
  take(chunk: Uint8Array): { rest?: Uint8Array; failure?: HandshakeFailure } {
    const part = chunk.subarray(0, this.bytes.length - this.#length);
    this.bytes.set(part, this.#length);
    this.#length += part.length;
    const wrongAt = this.#prefix.findIndex((byte, at) => at < this.#length && byte !== this.bytes[at]);
    if (wrongAt >= 0) return { failure: wrongAt < VERSION_AT ? "no handshake" : "unsupported version" };
    return this.#length < this.bytes.length ? {} : { rest: chunk.subarray(part.length) };
  }
}

/** What is signed of the connection underneath: the length of the keying material in one byte, and the material. */
function channelOf(keyingMaterial: Uint8Array | undefined): Uint8Array {
  const material = keyingMaterial ?? new Uint8Array();
  return concat(Uint8Array.of(material.length), material);
}

function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}
