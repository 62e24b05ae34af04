/** The handshake alone: its bytes, and attacks on it. */

import { describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import {
  ClientHandshake,
  type Handshake,
  type HandshakeFailure,
  ServerHandshake,
  type Step,
} from "../../src/auth/handshake.ts";
import { FrameDecoder, UDP6_PAYLOAD_BYTES_MAX } from "../../src/framing/index.ts";
import { secretOf } from "../options/secret-of.ts";

const SECRET = secretOf("correct horse battery staple");
const OTHER = secretOf("correct horse battery stable");
const [SERVER_NONCE, CLIENT_NONCE] = [new Uint8Array(32).fill(0x11), new Uint8Array(32).fill(0x22)];
const CHANNEL = new Uint8Array(32).fill(0x33);

interface Given {
  server?: typeof SECRET;
  client?: typeof SECRET;
  serverChannel?: Uint8Array;
  clientChannel?: Uint8Array;
}

function ends({ server = SECRET, client = SECRET, serverChannel, clientChannel }: Given = {}) {
  return {
    server: new ServerHandshake(server, SERVER_NONCE, serverChannel),
    client: new ClientHandshake(client, CLIENT_NONCE, clientChannel),
  };
}

/** Runs a handshake. Returns its messages, and the server's step after the response. */
function run(given?: Given) {
  const { server, client } = ends(given);
  const response = sent(client.take(server.challenge));
  const verdict = server.take(response);
  const confirmation = verdict.state === "authenticated" ? sent(verdict) : undefined;
  return { challenge: server.challenge, response, confirmation, verdict, client, server };
}

function sent(step: Step): Uint8Array {
  if (step.state === "failed" || step.send === undefined) throw new Error(`nothing to send: ${step.state}`);
  return step.send;
}

const failed = (failure: HandshakeFailure): Step => ({ state: "failed", failure });

/** A value of a test vector. Its continuation lines are indented. */
function valueIn(block: string, name: string): string {
  return new RegExp(`^${name}: (.*(?:\\n {2}.*)*)$`, "m").exec(block)?.[1] ?? "";
}

function hex(digits: string): Uint8Array {
  return new Uint8Array(Buffer.from(digits.replaceAll(/\s/g, ""), "hex"));
}

describe("on the wire", () => {
  const text = readFileSync(new URL("../../docs/protocol.md", import.meta.url), "utf8");
  const vectors = [...text.matchAll(/```vector\n(.*?)```/gs)].map(([, block = ""]) => ({
    secret: valueIn(block, "secret"),
    serverNonce: hex(valueIn(block, "server nonce")),
    clientNonce: hex(valueIn(block, "client nonce")),
    keyingMaterial: hex(valueIn(block, "keying material").replace("none", "")),
    challenge: hex(valueIn(block, "challenge")),
    response: hex(valueIn(block, "response")),
    confirmation: hex(valueIn(block, "confirmation")),
  }));
  test("the document has one test vector without TLS and one with TLS", () => {
    expect(vectors.map(({ keyingMaterial }) => keyingMaterial.length)).toEqual([0, 32]);
  });

  test.each(vectors)("the messages are those of docs/protocol.md", (vector) => {
    const secret = secretOf(vector.secret);
    const keyingMaterial = vector.keyingMaterial.length === 0 ? undefined : vector.keyingMaterial;
    const server = new ServerHandshake(secret, vector.serverNonce, keyingMaterial);
    const client = new ClientHandshake(secret, vector.clientNonce, keyingMaterial);
    expect(server.challenge).toEqual(vector.challenge);
    const response = sent(client.take(server.challenge));
    expect(response).toEqual(vector.response);
    const confirmation: Uint8Array = new Uint8Array(sent(server.take(response)));
    expect(confirmation).toEqual(vector.confirmation);
    expect(client.take(confirmation)).toMatchObject({ state: "authenticated" });
  });

  test("a proof is the HMAC of the role and of all earlier bytes", () => {
    const { challenge, response, confirmation } = run();
    const mac = (...parts: (string | Uint8Array)[]): Uint8Array => {
      const hmac = createHmac("sha256", "correct horse battery staple");
      for (const part of parts) hmac.update(part);
      return new Uint8Array(hmac.digest());
    };
    const transcript = [challenge, response.subarray(0, 40), Uint8Array.of(0)];
    expect<Uint8Array>(response.slice(40)).toEqual(mac("udptunnel secret 1 client\0", ...transcript));
    expect<Uint8Array>(Uint8Array.from(confirmation ?? [])).toEqual(
      mac("udptunnel secret 1 server\0", ...transcript, response.subarray(40)),
    );
  });

  test("an end that expects frames decodes no datagram from it", () => {
    const { challenge, response } = run();
    for (const message of [challenge, response]) {
      expect(new DataView(message.buffer, message.byteOffset).getUint16(0)).toBeGreaterThan(
        UDP6_PAYLOAD_BYTES_MAX,
      );
      const decoder = new FrameDecoder();
      decoder.push(message.slice());
      expect(decoder.next()).toBe(false);
    }
  });
});

describe("a peer that knows the secret", () => {
  test("is authenticated, wherever TCP cuts the messages, and the bytes that follow are passed on", () => {
    const following = fc.uint8Array({ maxLength: 50 });
    fc.assert(
      fc.property(following, fc.integer({ min: 1, max: 80 }), (rest, size) => {
        const { server, client } = ends();
        expect(last(client, server.challenge, 1)).toMatchObject({ state: "incomplete" });
        const { response, confirmation } = run();
        for (const [end, message] of [
          [server, response],
          [client, confirmation as Uint8Array],
        ] as const) {
          const step = last(end, new Uint8Array([...message, ...rest]), size);
          expect(step.state).toBe("authenticated");
          expect(rest).toEqual(
            new Uint8Array([...(step.state === "authenticated" ? step.rest : []), ...unread]),
          );
        }
      }),
    );
  });

  test("is authenticated over TLS when both ends have the same connection", () => {
    const { verdict } = run({ serverChannel: CHANNEL, clientChannel: CHANNEL });
    expect(verdict.state).toBe("authenticated");
  });

  let unread = new Uint8Array();

  /**
   * Takes the bytes in parts of this size. Returns the last step, and leaves the bytes not taken in `unread`.
   */
  function last(end: Handshake, bytes: Uint8Array, size: number): Step {
    for (let at = 0; ; at += size) {
      const step = end.take(bytes.subarray(at, at + size));
      unread = bytes.slice(at + size);
      if (step.state !== "incomplete" || unread.length === 0) return step;
    }
  }
});

describe("a peer that does not know the secret", () => {
  test("a client with another secret is rejected", () => {
    expect(run({ client: OTHER }).verdict).toEqual(failed("invalid proof"));
  });

  test("a server with another secret is rejected", () => {
    const { client, confirmation } = run();
    const forged = sent(
      new ServerHandshake(OTHER, SERVER_NONCE, undefined).take(
        run({ server: OTHER, client: OTHER }).response,
      ),
    );
    expect(forged).not.toEqual(confirmation as Uint8Array);
    expect(client.take(forged)).toEqual(failed("invalid proof"));
  });

  test.each([
    ["at the server", { serverChannel: CHANNEL }],
    ["at the client", { clientChannel: CHANNEL }],
    ["two connections", { serverChannel: CHANNEL, clientChannel: new Uint8Array(32).fill(0x34) }],
  ])("a proxy that ends TLS is detected (TLS %s)", (_where, channels) => {
    expect(run(channels).verdict).toEqual(failed("invalid proof"));
  });

  test("a recorded handshake is rejected in another connection, at either end", () => {
    const { response, confirmation } = run();
    const server = new ServerHandshake(SECRET, new Uint8Array(32).fill(0x44), undefined);
    expect(server.take(response)).toEqual(failed("invalid proof"));
    const client = new ClientHandshake(SECRET, new Uint8Array(32).fill(0x55), undefined);
    client.take(server.challenge);
    expect(client.take(confirmation as Uint8Array)).toEqual(failed("invalid proof"));
  });

  test("a reflected proof is rejected", () => {
    const { server, client } = ends();
    const response = sent(client.take(server.challenge));
    expect(client.take(response.subarray(40))).toEqual(failed("invalid proof"));
    const echoed = new Uint8Array([...server.challenge, ...response.subarray(40)]);
    expect(server.take(echoed)).toEqual(failed("invalid proof"));
  });

  test("every changed bit of the response and the confirmation is detected", () => {
    const { response, confirmation } = run();
    for (let bit = 0; bit < response.length * 8; bit++) {
      expect(ends().server.take(flipped(response, bit)).state).toBe("failed");
    }
    for (let bit = 0; bit < 256; bit++) {
      const { client } = run();
      expect(client.take(flipped(confirmation as Uint8Array, bit)).state).toBe("failed");
    }
  });

  test("other data and other versions are detected at the first wrong byte", () => {
    for (const end of [ends().server, ends().client])
      expect(end.take(Uint8Array.of(0))).toEqual(failed("no handshake"));
    const next = Uint8Array.of(0xff, 0xff, 0x75, 0x64, 0x70, 0x74, 0, 2);
    for (const end of [ends().server, ends().client])
      expect(end.take(next)).toEqual(failed("unsupported version"));
  });

  test("a server that sends more than the challenge before the response is rejected", () => {
    const { server, client } = ends();
    expect(client.take(new Uint8Array([...server.challenge, 0]))).toEqual(failed("no handshake"));
  });

  function flipped(bytes: Uint8Array, bit: number): Uint8Array {
    const copy = new Uint8Array(bytes);
    copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    return copy;
  }
});
