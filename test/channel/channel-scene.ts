/** Shared code of the channel tests: pairs of channels on a network in memory. */

import { expect } from "bun:test";
import { type DatagramChannel, dialChannel, listenChannels } from "../../src/index.ts";
import { MemoryNetwork } from "../support/memory/network.ts";
import { CLIENT, Scene, SERVER, TCP_PORT } from "../support/memory-tunnels.ts";

export const connect = `${SERVER}/${TCP_PORT}`;
export const text = (bytes: Uint8Array | undefined) => bytes && new TextDecoder().decode(bytes);

export class ChannelScene extends Scene {
  readonly farNetwork = new MemoryNetwork(this.wire, SERVER);
  readonly nearNetwork = new MemoryNetwork(this.wire, CLIENT);

  /** Opens a connected pair of channels: `near` has dialled, `far` was accepted. */
  async channels(dialled: object = {}, accepted: object = {}) {
    const arrived = Promise.withResolvers<DatagramChannel>();
    const server = await listenChannels({ listen: connect, idleTimeoutMs: 0, ...accepted }, arrived.resolve, {
      network: this.farNetwork,
    });
    const near = await this.settled(dialChannel({ connect, ...dialled }, { network: this.nearNetwork }));
    return { near, far: await arrived.promise, server };
  }

  /** Runs everything that is due, and returns the value of the promise. */
  async settled<T>(promise: Promise<T>): Promise<T> {
    await Promise.race([this.clock.settle(), promise]);
    await this.clock.settle();
    return await promise;
  }

  async closeAll(...closing: { close(): Promise<void> }[]): Promise<void> {
    const all = Promise.all(closing.map((each) => each.close()));
    await this.clock.advance(1100);
    await all;
    expect(this.clock.pending).toBe(0);
  }
}

/** The drops in one direction by reason, without the reasons that have none. */
export function drops(channel: DatagramChannel | undefined, direction: "outbound" | "inbound") {
  const dropped = Object.entries(channel?.stats()[direction].dropped ?? {});
  return Object.fromEntries(dropped.filter(([, count]) => count > 0));
}

export function expectConserved(...channels: DatagramChannel[]): void {
  for (const channel of channels) {
    for (const direction of ["outbound", "inbound"] as const) {
      const { received, sent, held, dropped } = channel.stats()[direction];
      const lost = Object.values(dropped).reduce((sum, count) => sum + count, 0);
      expect({ direction, received, accounted: sent + held + lost }).toEqual({
        direction,
        received,
        accounted: received,
      });
    }
  }
}
