import { expect } from "bun:test";
import type { ClientOptions, ServerOptions } from "../../../src/index.ts";
import { type Identity, pinOf } from "../../support/certificates.ts";
import { freeTcpPort, freeUdpPort, TUNNEL_HOST } from "../../support/loopback.ts";
import { testNeeding } from "../../support/need.ts";
import { Program } from "../../support/program.ts";
import { until } from "../../support/until.ts";
import { arrives, failureOf, TlsScene } from "./tls-scene.ts";

const testTls = testNeeding("openssl");

/** The options of the two ends in one case. */
type Make = (scene: TlsScene) => {
  readonly server?: Partial<ServerOptions>;
  readonly client?: Partial<ClientOptions>;
};

const trusting = ({ authority }: TlsScene) => ({ ca: authority.cert });
const other = (scene: TlsScene): Identity => scene.certificates.authority();

const ACCEPTED: readonly (readonly [what: string, make: Make])[] = [
  ["a certificate of the authority", () => ({})],
  [
    "the name of --sni in place of the address dialled",
    (scene) => ({
      server: scene.certificates.issue(scene.authority, { name: "relay.example" }),
      client: { ...trusting(scene), sni: "relay.example" },
    }),
  ],
  [
    "a self-signed certificate that is trusted as authority",
    (scene) => {
      const self = scene.certificates.selfSigned({ name: TUNNEL_HOST });
      return { server: self, client: { ca: self.cert } };
    },
  ],
  [
    "the pinned key of a certificate that is self-signed, for another name, and expired",
    (scene) => {
      const self = scene.certificates.selfSigned({ name: "elsewhere.example", days: -1 });
      return { server: self, client: { pin: pinOf(self) } };
    },
  ],
  ["the pinned key of a valid certificate", (scene) => ({ client: { pin: pinOf(scene.identity) } })],
  [
    "a client with a certificate, where the server requires one",
    (scene) => ({
      server: { clientCa: scene.authority.cert },
      client: { ...trusting(scene), ...scene.certificates.issue(scene.authority, { name: "alice" }) },
    }),
  ],
  [
    "a client with a certificate, where the server requires none",
    (scene) => ({
      client: { ...trusting(scene), ...scene.certificates.issue(other(scene), { name: "alice" }) },
    }),
  ],
];

for (const [what, make] of ACCEPTED) {
  testTls(`accepted: ${what}`, async () => {
    await using scene = new TlsScene();
    const { server, client = trusting(scene) } = make(scene);
    const there = await scene.server(server);
    const here = await scene.client(there.tcp, client);
    await arrives(here, there, "out");
    await arrives(there, here, "back");
  });
}

const REJECTED_BY_CLIENT: readonly (readonly [what: string, code: string, message: RegExp, make: Make])[] = [
  [
    "another authority's certificate",
    "TLS_UNKNOWN_AUTHORITY",
    /not signed by a trusted authority/,
    (scene) => ({
      client: { ca: other(scene).cert },
    }),
  ],
  [
    "a certificate that the system's authorities have not signed",
    "TLS_UNKNOWN_AUTHORITY",
    /not signed by a trusted authority/,
    () => ({ client: {} }),
  ],
  [
    "a self-signed certificate",
    "TLS_UNKNOWN_AUTHORITY",
    /not signed by a trusted authority/,
    (scene) => ({
      server: scene.certificates.selfSigned({ name: TUNNEL_HOST }),
    }),
  ],
  [
    "a certificate for another name",
    "TLS_WRONG_NAME",
    /another name/,
    (scene) => ({
      server: scene.certificates.issue(scene.authority, { name: "elsewhere.example" }),
    }),
  ],
  [
    "a certificate for another address",
    "TLS_WRONG_NAME",
    /another name/,
    (scene) => ({
      server: scene.certificates.issue(scene.authority, { name: "192.0.2.1" }),
    }),
  ],
  [
    "a certificate for the address, but not for the name of --sni",
    "TLS_WRONG_NAME",
    /another name/,
    (scene) => ({
      client: { ...trusting(scene), sni: "relay.example" },
    }),
  ],
  [
    "an expired certificate",
    "TLS_EXPIRED",
    /has expired/,
    (scene) => ({
      server: scene.certificates.issue(scene.authority, { name: TUNNEL_HOST, days: -1 }),
    }),
  ],
  [
    "another key than the pinned one",
    "TLS_WRONG_KEY",
    /not the pinned one; it has sha256:/,
    (scene) => ({
      client: { pin: pinOf(scene.certificates.selfSigned()) },
    }),
  ],
];

for (const [what, code, message, make] of REJECTED_BY_CLIENT) {
  testTls(`rejected by the client: ${what}`, async () => {
    await using scene = new TlsScene();
    const { server, client = trusting(scene) } = make(scene);
    const there = await scene.server(server);
    const here = await scene.client(there.tcp, client);
    here.app.send("never to be seen");
    const failure = await failureOf(here, "dial failed");
    expect(failure).toMatchObject({ code, message: expect.stringMatching(message) });
    expect(await failureOf(there, "handshake failed")).toMatchObject({ code: "TLS_CLOSED" });
    expect(there.tunnel.counters).toMatchObject({ connects: 0 });
    expect(there.tunnel.counters.rejectedConnections).toBeGreaterThan(0);
    expect(there.app.received).toEqual([]);
    expect(here.tunnel.counters.connects).toBe(0);
  });
}

/** With TLS 1.3, the client learns of the rejection only after its own handshake. */
const REJECTED_BY_SERVER: readonly (readonly [what: string, code: string, message: RegExp, make: Make])[] = [
  ["no client certificate", "TLS_NO_CLIENT_CERTIFICATE", /the client sent no certificate/, trustedClient],
  [
    "another authority's client certificate",
    "TLS_UNKNOWN_AUTHORITY",
    /the client's certificate/,
    (scene) => ({
      client: { ...trusting(scene), ...scene.certificates.issue(other(scene), { name: "mallory" }) },
    }),
  ],
  [
    "a self-signed client certificate",
    "TLS_UNKNOWN_AUTHORITY",
    /the client's/,
    (scene) => ({
      client: { ...trusting(scene), ...scene.certificates.selfSigned({ name: "mallory" }) },
    }),
  ],
  [
    "an expired client certificate",
    "TLS_EXPIRED",
    /the client's certificate has expired/,
    (scene) => ({
      client: {
        ...trusting(scene),
        ...scene.certificates.issue(scene.authority, { name: "alice", days: -1 }),
      },
    }),
  ],
];

function trustedClient(scene: TlsScene): ReturnType<Make> {
  return { client: trusting(scene) };
}

for (const [what, code, message, make] of REJECTED_BY_SERVER) {
  testTls(`rejected by the server: ${what}`, async () => {
    await using scene = new TlsScene();
    const there = await scene.server({ clientCa: scene.authority.cert });
    const here = await scene.client(there.tcp, make(scene).client);
    const sending = setInterval(() => here.app.send("never to be seen"), 5);
    try {
      expect(await failureOf(there, "handshake failed")).toMatchObject({
        code,
        message: expect.stringMatching(message),
      });
      const end = await failureOf(here, "disconnected");
      expect(["TLS_REJECTED", "TLS_NO_CLIENT_CERTIFICATE"]).toContain(end.code as string);
      expect(here.warnings.some(({ type }) => type === "disconnected")).toBeTrue();
      await until(
        "three tries",
        () => there.events.filter(({ type }) => type === "handshake failed").length >= 3,
      );
    } finally {
      clearInterval(sending);
    }
    expect(there.warnings.filter(({ type }) => type === "handshake failed")).toHaveLength(1);
    expect(there.tunnel.counters.connects).toBe(0);
    expect(there.app.received).toEqual([]);
  });
}

testTls("no environment variable disables verification", async () => {
  await using scene = new TlsScene();
  const entry = new URL("../../../src/cli/udptunnel.ts", import.meta.url).pathname;
  const command = ["env", "NODE_TLS_REJECT_UNAUTHORIZED=0", process.execPath, entry, "-v", "--tls"];
  const target = `${TUNNEL_HOST}/${await freeUdpPort()}`;

  const impostor = await scene.server(scene.certificates.selfSigned({ name: TUNNEL_HOST }));
  const dial = ["-c", `${TUNNEL_HOST}/${impostor.tcp}`, "--ca", scene.authority.cert, target];
  await using client = new Program(dial, command);
  await client.says("the server's certificate is not signed by a trusted authority; trying again");
  expect(impostor.tunnel.counters.connects).toBe(0);

  const port = freeTcpPort();
  const { cert, key } = scene.identity;
  const files = ["--cert", cert, "--key", key, "--client-ca", scene.authority.cert];
  await using server = new Program(["-s", `${TUNNEL_HOST}/${port}`, ...files, target], command);
  await server.says("listening");
  const untrusted = await scene.client(port, {
    ca: scene.authority.cert,
    ...scene.certificates.selfSigned(),
  });
  await server.says("the client's certificate is not signed by a trusted authority");
  expect((await failureOf(untrusted, "disconnected")).code).toBe("TLS_REJECTED");
});
