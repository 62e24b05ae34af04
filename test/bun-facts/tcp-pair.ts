/** The two ends of a loopback connection, each with a list of its events. */

export interface End {
  socket: Bun.Socket<unknown>;
  readonly events: string[];
  /** Payload bytes received so far. */
  received: number;
  /** Resolves when an event of this name has occurred. */
  until(event: string): Promise<void>;
}

function end(): { end: End; handlers: Bun.SocketHandler } {
  const events: string[] = [];
  let wake = () => {};
  const note = (event: string) => {
    events.push(event);
    wake();
  };
  const until = async (event: string) => {
    while (!events.includes(event)) await new Promise<void>((resolve) => (wake = resolve));
  };
  const made: End = { socket: undefined as unknown as Bun.Socket<unknown>, events, received: 0, until };
  const handlers: Bun.SocketHandler = {
    open(socket) {
      made.socket = socket;
      note("open");
    },
    data(_, chunk) {
      made.received += chunk.length;
      note("data");
    },
    drain: () => note("drain"),
    end: () => note("end"),
    error: () => note("error"),
    close: (_, error) => note(`close ${(error as { code?: string } | undefined)?.code}`),
  };
  return { end: made, handlers };
}

/** Runs `use` with both ends of a connection, which may be half open, and closes them afterwards. */
export async function withPair(use: (client: End, server: End) => void | Promise<void>): Promise<void> {
  const [client, server] = [end(), end()];
  const hostname = "127.0.0.1";
  const allowHalfOpen = true;
  const listener = Bun.listen({ hostname, port: 0, allowHalfOpen, socket: server.handlers });
  const { port } = listener;
  await Bun.connect({ hostname, port, allowHalfOpen, socket: client.handlers });
  await Promise.all([client.end.until("open"), server.end.until("open")]);
  try {
    await use(client.end, server.end);
  } finally {
    client.end.socket.terminate();
    server.end.socket.terminate();
    listener.stop(true);
  }
}

/** Writes until the socket takes no more. @returns the number of bytes it took. */
export function fill(socket: Bun.Socket<unknown>): number {
  const chunk = new Uint8Array(new ArrayBuffer(1 << 20));
  let bytes = 0;
  for (let taken = 1; taken > 0; bytes += taken) taken = socket.write(chunk, 0, chunk.length);
  return bytes;
}
