/** Dialling a server that must prove that it knows the secret, as we do: nothing else is sent to it before. */

import type { Clock } from "../net/clock.ts";
import { type Endpoint, formatEndpoint } from "../net/endpoint.ts";
import { NetError } from "../net/network.ts";
import type { StreamPort } from "../net/stream-port.ts";
import type { Dial } from "../net/stream-transport.ts";
import { isTlsCode, tlsFailure } from "../net/tls/tls-failure.ts";
import type { ClientHandshake, HandshakeFailure } from "./handshake.ts";

/** How long a server may take once the connection is up. */
const SERVER_PROOF_TIMEOUT_MS = 4000;

/**
 * The dial, which succeeds when both ends have proved that they know the secret. It rejects with a `NetError` EAUTH when
 * the server has not.
 *
 * @param dial the dial underneath.
 * @param newHandshake a fresh handshake for this connection.
 */
export function authenticateDial(
  dial: Dial,
  to: Endpoint,
  clock: Clock,
  newHandshake: (stream: StreamPort) => ClientHandshake,
): Dial {
  const { promise, resolve, reject } = Promise.withResolvers<StreamPort>();
  let answered = false;
  let cancelled = false;
  let giveUp = () => {};
  const fail = (error: unknown) => {
    if (!cancelled) reject(error);
  };
  dial.stream
    .then((stream) => {
      answered = true;
      giveUp = prove(stream, clock, newHandshake(stream), {
        onAuthenticated: () => resolve(stream),
        onFailed: (why, code) => fail(new NetError(code, `${formatEndpoint(to)} ${why}`)),
      });
      if (cancelled) giveUp();
    })
    .catch(fail);
  return {
    stream: promise,
    get answered() {
      return answered || dial.answered === true;
    },
    cancel: () => {
      cancelled = true;
      dial.cancel();
      giveUp();
    },
  };
}

interface Outcome {
  onAuthenticated(): void;
  /** @param why continues a sentence that begins with the server. */
  onFailed(why: string, code: string): void;
}

/** @returns gives up: the connection ends, unless the proof is through. */
function prove(stream: StreamPort, clock: Clock, handshake: ClientHandshake, outcome: Outcome): () => void {
  let over = false;
  const finish = (why: string | undefined, code = "EAUTH") => {
    if (over) return;
    over = true;
    timer.cancel();
    if (why === undefined) return outcome.onAuthenticated();
    stream.terminate();
    outcome.onFailed(why, code);
  };
  const timer = clock.after(SERVER_PROOF_TIMEOUT_MS, () => finish(silence(handshake)));
  stream.receive({
    onChunk(chunk) {
      if (over) return;
      const step = handshake.take(chunk);
      if (step.state === "failed") return finish(FAILURES[step.failure]);
      if (step.send && stream.write(step.send) < step.send.length) return finish(silence(handshake));
      if (step.state !== "authenticated") return;
      stream.pushBack(step.rest);
      finish(undefined);
    },
    onDrain() {},
    onEnd: () => finish(silence(handshake)),
    // With TLS 1.3 a server that does not like our certificate says so after the handshake, in place of the challenge.
    onClose: (code) =>
      isTlsCode(code)
        ? finish(`hung up: ${tlsFailure(code, "client").message}`, code)
        : finish(silence(handshake)),
  });
  return () => finish("was given up");
}

const FAILURES: Readonly<Record<HandshakeFailure, string>> = {
  "no handshake": "does not ask for the secret: does its end lack --secret-file?",
  "unsupported version": "asks for the secret in a version unknown here",
  "invalid proof": "did not prove that it knows the secret",
};

/** What it means that the server says no more. */
function silence({ responded }: ClientHandshake): string {
  return responded
    ? "did not accept the secret: it must be the same at both ends, and with TLS nothing may stand between them"
    : "has not asked for the secret: does its end lack --secret-file?";
}
