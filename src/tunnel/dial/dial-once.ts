/**
 * One attempt to connect to one address of a server, with a timeout. In RTP mode an attempt makes both
 * connections of the pair.
 */

import type { Clock } from "../../net/clock.ts";
import { reset } from "../../net/close-stream.ts";
import { formatEndpoint } from "../../net/endpoint.ts";
import { NetError } from "../../net/network.ts";
import type { StreamPort } from "../../net/stream-port.ts";
import type { DialTarget, StreamTransport } from "../../net/stream-transport.ts";

/** How long an address may take to answer. The handshakes after that have their own timeouts. */
const CONNECT_TIMEOUT_MS = 5000;

export interface DialAttempt {
  /**
   * Settles with undefined when every connection is up, else with the first failure. Rejects only with a
   * defect of this program, for example in `onStream`.
   */
  readonly done: Promise<NetError | undefined>;
  /**
   * Fails the attempt. Ends its connections, unless all are up: those are the caller's to close. Has no
   * effect once `done` is settled.
   */
  cancel(failure?: NetError): void;
}

/**
 * Dials `count` consecutive ports at once. When one dial fails, the attempt fails.
 *
 * @param first the address and the first port.
 * @param onStream called for each connection, in the tick in which it came up; `index` 0 is the first port.
 */
export function dialOnce(
  transport: StreamTransport,
  clock: Clock,
  first: DialTarget,
  count: number,
  onStream: (stream: StreamPort, index: number) => void,
): DialAttempt {
  const { promise, resolve, reject } = Promise.withResolvers<NetError | undefined>();
  let connecting = count;
  let settled = false;
  const settle = (failure: unknown) => {
    if (settled) return;
    settled = true;
    timer.cancel();
    if (failure !== undefined) for (const dial of dials) dial.cancel();
    if (failure === undefined || failure instanceof NetError) resolve(failure);
    else reject(failure);
  };
  const timer = clock.after(CONNECT_TIMEOUT_MS, () => {
    if (dials.every(({ tcpConnected }) => tcpConnected)) return;
    settle(new NetError("ETIMEDOUT", `${formatEndpoint(first)} does not answer`));
  });
  const dials = Array.from({ length: count }, (_, index) => {
    const dial = transport.dial({ ...first, port: first.port + index });
    dial.stream
      .then((stream) => {
        if (settled) return reset(stream);
        connecting--;
        if (connecting === 0) timer.cancel();
        onStream(stream, index);
        if (connecting === 0) settle(undefined);
      })
      .catch(settle);
    return dial;
  });
  return {
    done: promise,
    cancel: (failure = new NetError("ECANCELED", "the dial was cancelled")) => {
      if (connecting > 0) return settle(failure);
      settled = true;
      resolve(failure);
    },
  };
}
