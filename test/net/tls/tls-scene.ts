/** Tunnels with TLS between two programs on this host, and their events. */

import {
  type ClientOptions,
  type ServerOptions,
  startClient,
  startServer,
  type Tunnel,
  type TunnelEvent,
} from "../../../src/index.ts";
import { Certificates } from "../../support/certificates.ts";
import { APP_HOST, freeUdpPort, TUNNEL_HOST, UdpApp } from "../../support/loopback.ts";
import { until } from "../../support/until.ts";

/** One end of the scene. */
export interface End {
  readonly tunnel: Tunnel;
  readonly app: UdpApp;
  readonly events: TunnelEvent[];
  /** The events of level "warning". */
  readonly warnings: TunnelEvent[];
}

export class TlsScene implements AsyncDisposable {
  readonly certificates = new Certificates();
  readonly authority = this.certificates.authority();
  /** The server's certificate, for 127.0.0.1. */
  readonly identity = this.certificates.issue(this.authority, { name: TUNNEL_HOST });
  readonly #ends: End[] = [];

  /** Starts a server. By default it has {@link identity}. */
  async server(options: Partial<ServerOptions> = {}): Promise<End & { readonly tcp: number }> {
    const udp = await freeUdpPort();
    const end = await this.#end(udp, (onEvent) =>
      startServer(
        {
          listen: `${TUNNEL_HOST}/0`,
          target: `${APP_HOST}/${udp}`,
          bind: TUNNEL_HOST,
          tls: true,
          ...this.identity,
          ...options,
        },
        { onEvent },
      ),
    );
    return { ...end, tcp: end.tunnel.tcp[0]?.port ?? 0 };
  }

  /** Starts a client of the server on this TCP port. By default it trusts {@link authority}. */
  async client(tcp: number, options: Partial<ClientOptions> = { ca: this.authority.cert }): Promise<End> {
    const udp = await freeUdpPort();
    const target = options.perSource ? `${TUNNEL_HOST}/${udp}` : `${APP_HOST}/${udp}`;
    return await this.#end(udp, (onEvent) =>
      startClient(
        {
          connect: `${TUNNEL_HOST}/${tcp}`,
          target,
          ...(options.perSource ? {} : { bind: TUNNEL_HOST }),
          tls: true,
          ...options,
        },
        { onEvent },
      ),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { app } of this.#ends) app[Symbol.dispose]();
    await Promise.all(this.#ends.map(({ tunnel }) => tunnel.close()));
    this.certificates[Symbol.dispose]();
  }

  async #end(
    udp: number,
    start: (onEvent: (event: TunnelEvent, level: string) => void) => Promise<Tunnel>,
  ): Promise<End> {
    const events: TunnelEvent[] = [];
    const warnings: TunnelEvent[] = [];
    const tunnel = await start((event, level) => {
      events.push(event);
      if (level === "warning") warnings.push(event);
    });
    const end = { tunnel, app: await UdpApp.open(udp), events, warnings };
    this.#ends.push(end);
    return end;
  }
}

/** Sends a text again and again until it arrives: datagrams sent before the connection is up may expire. */
export async function arrives(from: End, to: End, text: string): Promise<void> {
  let next = 0;
  await until(`"${text}" to arrive`, () => {
    if (performance.now() > next) {
      from.app.send(text);
      next = performance.now() + 50;
    }
    return to.app.texts.includes(text);
  });
}

/** Waits for the first event of a type that has a code. @returns the event. */
export async function failureOf(end: End, type: TunnelEvent["type"], timeoutMs?: number) {
  const found = () => end.events.find((event) => event.type === type);
  await until(`"${type}"`, () => found() !== undefined, timeoutMs);
  return found() as { code?: string; message?: string };
}
