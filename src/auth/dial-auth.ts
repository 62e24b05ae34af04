/**
 * Authentication of a dialled connection: both ends prove that they know the shared secret. The client sends
 * no datagram before the server is authenticated.
 */

import type { Clock } from "../net/clock.ts";
import { type Endpoint, formatEndpoint } from "../net/endpoint.ts";
import { NetError } from "../net/network.ts";
import type { StreamPort } from "../net/stream-port.ts";
import type { Dial } from "../net/stream-transport.ts";
import { isTlsCode, tlsFailure } from "../net/tls/tls-failure.ts";
import type { ClientHandshake, HandshakeFailure } from "./handshake.ts";

/** How long the handshake may take after the connection is up. */
const SERVER_PROOF_TIMEOUT_MS = 4000;

/**
 * Returns a dial that succeeds when both ends are authenticated. It rejects with a `NetError` EAUTH when
 * authentication fails.
 *
 * @param dial the dial of the connection.
 * @param newHandshake makes the handshake for the connection.
 */
export function authenticateDial(
  dial: Dial,
  to: Endpoint,
  clock: Clock,
  newHandshake: (stream: StreamPort) => ClientHandshake,
): Dial {
  const { promise, resolve, reject } = Promise.withResolvers<StreamPort>();
  let isConnected = false;
  let isCancelled = false;
  let abort = () => {};
  const fail = (error: unknown) => {
    if (!isCancelled) reject(error);
  };
  dial.stream
    .then((stream) => {
      isConnected = true;
      abort = authenticate(stream, clock, newHandshake(stream), {
        onAuthenticated: () => resolve(stream),
        onFailed: (problem, code) => fail(new NetError(code, `${formatEndpoint(to)} ${problem}`)),
      });
      if (isCancelled) abort();
    })
    .catch(fail);
  return {
    stream: promise,
    get tcpConnected() {
      return isConnected || dial.tcpConnected === true;
    },
    cancel: () => {
      isCancelled = true;
      dial.cancel();
      abort();
    },
  };
}

interface Outcome {
  onAuthenticated(): void;
  /** @param problem the rest of a sentence whose subject is the server. */
  onFailed(problem: string, code: string): void;
}

/** Runs the handshake. Returns a function that ends the connection if the handshake is not finished. */
function authenticate(
  stream: StreamPort,
  clock: Clock,
  handshake: ClientHandshake,
  outcome: Outcome,
): () => void {
  let isFinished = false;
  const finish = (problem: string | undefined, code = "EAUTH") => {
    if (isFinished) return;
    isFinished = true;
    timer.cancel();
    if (problem === undefined) return outcome.onAuthenticated();
    stream.terminate();
    outcome.onFailed(problem, code);
  };
  const timer = clock.after(SERVER_PROOF_TIMEOUT_MS, () => finish(unfinished(handshake)));
  stream.receive({
    onChunk(chunk) {
      if (isFinished) return;
      const step = handshake.take(chunk);
      if (step.state === "failed") return finish(FAILURES[step.failure]);
      if (step.send && stream.write(step.send) < step.send.length) return finish(unfinished(handshake));
      if (step.state !== "authenticated") return;
      stream.pushBack(step.rest);
      finish(undefined);
    },
    onDrain() {},
    onEnd: () => finish(unfinished(handshake)),
    // With TLS 1.3 a server rejects the client's certificate after the handshake, here in place of the
    // challenge.
    onClose: (code) =>
      isTlsCode(code)
        ? finish(`closed the connection: ${tlsFailure(code, "client").message}`, code)
        : finish(unfinished(handshake)),
  });
  return () => finish("was cancelled");
}

const FAILURES: Readonly<Record<HandshakeFailure, string>> = {
  "no handshake": "does not ask for the secret: it seems to be configured without one",
  "unsupported version": "asks for the secret in an unknown version of the handshake",
  "invalid proof": "did not prove that it knows the secret",
};

/** The likely cause when the server sends no more or closes the connection. */
function unfinished({ responded }: ClientHandshake): string {
  return responded
    ? "did not accept the secret: it must be the same at both ends, and no proxy may end TLS between them"
    : "has not asked for the secret: it seems to be configured without one";
}
