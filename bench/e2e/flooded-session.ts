/** A session of per-source mode whose target floods it. */

import { type Load, startGenerator } from "./load.ts";
import type { Place } from "./relays.ts";

/** Bun's undocumented flag for SO_REUSEADDR: the sink will want the same address. */
const REUSE_ADDRESS = 16;

/**
 * Opens a session, learns at the target where the server sends from, and starts a flood to there. The flood's socket is
 * connected: of what comes to the target's address, the kernel gives it this session's datagrams alone (udp(7)).
 */
export async function floodedSession(place: Place, load: Load): Promise<AsyncDisposable> {
  const source = await Bun.udpSocket({ connect: { hostname: "127.0.0.1", port: place.clientPort } });
  const session = Promise.withResolvers<{ address: string; port: number }>();
  const target = await Bun.udpSocket({
    hostname: place.serverApp,
    port: place.serverPort,
    ...{ flags: REUSE_ADDRESS },
    socket: { data: (_socket, _payload, port, address) => session.resolve({ address, port }) },
  });
  source.send("hello");
  const { address, port } = await session.promise;
  target.close();
  const generator = startGenerator(
    { ...place, serverApp: `${place.serverApp}:${place.serverPort}`, serverHost: address, serverPort: port },
    { ...load, direction: "back" },
  );
  return {
    async [Symbol.asyncDispose]() {
      await generator.stop();
      source.close();
    },
  };
}
