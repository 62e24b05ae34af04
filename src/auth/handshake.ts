/**
 * The handshake by which both ends prove that they know one secret, before the first frame (every byte is in
 * docs/protocol.md):
 *
 *   server -> client   challenge      header, server's nonce                    40 bytes, at once
 *   client -> server   response       header, client's nonce, client's proof    72 bytes
 *   server -> client   confirmation   server's proof                            32 bytes
 *
 * A proof is an HMAC, with the secret as its key, of all earlier bytes of the handshake, of the sender's
 * role, and of the TLS connection if there is one. So a proof is valid for one connection, one role and one
 * time. It can be neither replayed nor reflected.
 *
 * The client sends its proof first. Otherwise anyone who can reach the server would get bytes that depend on
 * the secret. The client takes less risk: it chooses the server that it dials.
 *
 * This file has no sockets and no clock, and nonces are arguments.
 */

import { timingSafeEqual } from "node:crypto";
import type { Secret } from "../options/secret.ts";

/** The length of each end's nonce: random bytes that are never used twice. */
export const NONCE_BYTES = 32;
const PROOF_BYTES = 32;
/**
 * 0xFFFF, `udpt`, version 1. Read as the header of a frame, the first two bytes give a length beyond the
 * limit of UDP (RFC 768). So an end that expects no handshake waits for the rest of that frame, and relays
 * nothing of the handshake.
 */
const HEADER = Uint8Array.of(0xff, 0xff, 0x75, 0x64, 0x70, 0x74, 0x00, 0x01);
const VERSION_AT = 6;
const CHALLENGE_BYTES = HEADER.length + NONCE_BYTES;
const RESPONSE_BYTES = HEADER.length + NONCE_BYTES + PROOF_BYTES;

/** Label and length of the keying material of a TLS connection (RFC 5705), without a context value. */
export const CHANNEL_LABEL = "EXPERIMENTAL udptunnel secret 1";
export const CHANNEL_BYTES = 32;

const CLIENT_ROLE = new TextEncoder().encode("udptunnel secret 1 client\0");
const SERVER_ROLE = new TextEncoder().encode("udptunnel secret 1 server\0");

/** Why the peer is not authenticated. */
export type HandshakeFailure =
  | "no handshake" // the bytes are not a handshake
  | "unsupported version" // the version of the handshake is unknown
  | "invalid proof"; // the peer does not know the secret, or it replays another connection

/** The state of a handshake after a chunk. `send` must be sent now. */
export type Step =
  /** More bytes are needed. */
  | { state: "incomplete"; send?: Uint8Array }
  /** The peer knows the secret. `rest` is the part of the chunk that follows the handshake. */
  | { state: "authenticated"; send?: Uint8Array; rest: Uint8Array }
  /** Nothing may be sent on this connection. */
  | { state: "failed"; failure: HandshakeFailure };

/** One end of a handshake. `take` must not be called again after a step that is not `incomplete`. */
export interface Handshake {
  /**
   * Takes received bytes, cut anywhere.
   *
   * @param chunk borrowed until return, except for the `rest`, a view of it.
   */
  take(chunk: Uint8Array): Step;
}

/** The server's end. It sends `challenge` first. */
export class ServerHandshake implements Handshake {
  readonly challenge: Uint8Array;
  readonly #secret: Secret;
  readonly #channel: Uint8Array;
  readonly #response = new FixedMessage(RESPONSE_BYTES, HEADER);

  /**
   * @param nonce {@link NONCE_BYTES} random bytes, never used before.
   * @param keyingMaterial {@link CHANNEL_BYTES} bytes of the TLS connection; undefined without TLS.
   */
  constructor(secret: Secret, nonce: Uint8Array, keyingMaterial: Uint8Array | undefined) {
    this.#secret = secret;
    this.#channel = channelOf(keyingMaterial);
    this.challenge = concat(HEADER, nonce);
  }

  take(chunk: Uint8Array): Step {
    const { failure, rest } = this.#response.take(chunk);
    if (failure !== undefined) return { state: "failed", failure };
    if (rest === undefined) return { state: "incomplete" };
    const opening = this.#response.bytes.subarray(0, CHALLENGE_BYTES);
    const transcript = concat(this.challenge, opening, this.#channel);
    const proof = this.#response.bytes.subarray(CHALLENGE_BYTES);
    if (!timingSafeEqual(proof, this.#secret.sign(CLIENT_ROLE, transcript))) {
      return { state: "failed", failure: "invalid proof" };
    }
    return { state: "authenticated", send: this.#secret.sign(SERVER_ROLE, transcript, proof), rest };
  }
}

/** The client's end. It answers the challenge. */
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

  /** Whether the client has sent its response. */
  get responded(): boolean {
    return this.#expected !== undefined;
  }

  take(chunk: Uint8Array): Step {
    if (this.#expected !== undefined) return this.#confirm(chunk, this.#expected);
    const { failure, rest } = this.#challenge.take(chunk);
    if (failure !== undefined) return { state: "failed", failure };
    if (rest === undefined) return { state: "incomplete" };
    // A correct server sends nothing more before it has the response.
    if (rest.length > 0) return { state: "failed", failure: "no handshake" };
    const opening = concat(HEADER, this.#nonce);
    const transcript = concat(this.#challenge.bytes, opening, this.#channel);
    const proof = this.#secret.sign(CLIENT_ROLE, transcript);
    this.#expected = this.#secret.sign(SERVER_ROLE, transcript, proof);
    return { state: "incomplete", send: concat(opening, proof) };
  }

  #confirm(chunk: Uint8Array, expected: Uint8Array): Step {
    const { rest } = this.#confirmation.take(chunk);
    if (rest === undefined) return { state: "incomplete" };
    if (!timingSafeEqual(this.#confirmation.bytes, expected)) {
      return { state: "failed", failure: "invalid proof" };
    }
    return { state: "authenticated", rest };
  }
}

/** Collects a message of a fixed size. It fails at the first byte that differs from the prefix. */
class FixedMessage {
  readonly bytes: Uint8Array;
  readonly #prefix: Uint8Array;
  #length = 0;

  constructor(size: number, prefix = new Uint8Array()) {
    this.bytes = new Uint8Array(size);
    this.#prefix = prefix;
  }

  /** @returns `rest` once the message is complete: the part of the chunk that follows it. */
  take(chunk: Uint8Array): { rest?: Uint8Array; failure?: HandshakeFailure } {
    const part = chunk.subarray(0, this.bytes.length - this.#length);
    this.bytes.set(part, this.#length);
    this.#length += part.length;
    const wrongAt = this.#prefix.findIndex((byte, at) => at < this.#length && byte !== this.bytes[at]);
    if (wrongAt >= 0) return { failure: wrongAt < VERSION_AT ? "no handshake" : "unsupported version" };
    return this.#length < this.bytes.length ? {} : { rest: chunk.subarray(part.length) };
  }
}

/**
 * The bytes signed for the TLS connection: the length of its keying material in one byte, and the material.
 */
function channelOf(keyingMaterial: Uint8Array | undefined): Uint8Array {
  const material = keyingMaterial ?? new Uint8Array();
  return concat(Uint8Array.of(material.length), material);
}

function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}
