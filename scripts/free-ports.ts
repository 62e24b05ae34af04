/** Free port numbers, for programs that need their port as an argument. */

/** A port that is free for TCP and UDP on all addresses. Another program may take it before it is used. */
export async function freePort(): Promise<number> {
  for (;;) {
    const socket = await Bun.udpSocket({ hostname: "0.0.0.0" });
    const { port } = socket;
    socket.close();
    if (isFree(port)) return port;
  }
}

/** An even free port whose successor is also free: for RTP and RTCP. */
export async function freeEvenPort(): Promise<number> {
  for (;;) {
    const port = await freePort();
    if (port % 2 === 0 && (await isFreeUdp(port + 1)) && isFree(port + 1)) return port;
  }
}

function isFree(port: number): boolean {
  try {
    Bun.listen({ hostname: "0.0.0.0", port, socket: { data() {} } }).stop(true);
    return true;
  } catch {
    return false;
  }
}

async function isFreeUdp(port: number): Promise<boolean> {
  try {
    (await Bun.udpSocket({ hostname: "0.0.0.0", port })).close();
    return true;
  } catch {
    return false;
  }
}
