import { expect } from "bun:test";
import { chmodSync, chownSync, copyFileSync, rmSync, writeFileSync } from "node:fs";
import { type Identity, openssl, pinOf } from "../../support/certificates.ts";
import { freeTcpPort, freeUdpPort, TUNNEL_HOST } from "../../support/loopback.ts";
import { testNeeding } from "../../support/need.ts";
import { Program } from "../../support/program.ts";
import { until } from "../../support/until.ts";
import { arrives, failureOf, TlsScene } from "./tls-scene.ts";

const testTls = testNeeding("openssl");

/** Overwrites a certificate and its key with others. */
function replace({ cert, key }: Identity, by: Identity): void {
  copyFileSync(by.cert, cert);
  copyFileSync(by.key, key);
}

testTls("new connections get the new certificate, and the established one continues", async () => {
  await using scene = new TlsScene();
  const there = await scene.server({ perSource: true });
  const first = await scene.client(there.tcp, { perSource: true, pin: pinOf(scene.identity) });
  await arrives(first, there, "before");
  const renewed = scene.certificates.selfSigned({ name: TUNNEL_HOST });
  replace(scene.identity, renewed);
  there.tunnel.reloadCertificates();
  expect(there.events.at(-1)).toEqual({ type: "certificates reloaded" });
  await arrives(first, there, "still up");
  const second = await scene.client(there.tcp, { perSource: true, pin: pinOf(renewed) });
  await arrives(second, there, "new");
  expect(there.tunnel.counters.connects).toBe(2);
  expect(there.tunnel.tcp[0]?.port).toBe(there.tcp);
});

testTls("a client's certificate and authorities are reloaded, too", async () => {
  await using scene = new TlsScene();
  const own = scene.certificates.issue(scene.authority, { name: "alice", days: -1 });
  const there = await scene.server({ clientCa: scene.authority.cert });
  const here = await scene.client(there.tcp, { ca: scene.authority.cert, ...own });
  expect(here.warnings[0]).toMatchObject({
    type: "certificate warning",
    message: expect.stringMatching(/expired on/),
  });
  expect((await failureOf(there, "handshake failed")).code).toBe("TLS_EXPIRED");
  replace(own, scene.certificates.issue(scene.authority, { name: "alice" }));
  here.tunnel.reloadCertificates();
  await arrives(here, there, "renewed");
});

testTls("files that cannot be used are reported, and the old certificates stay in use", async () => {
  await using scene = new TlsScene();
  const there = await scene.server();
  const other = scene.certificates.selfSigned();
  const { cert, key } = scene.identity;
  const cases: readonly (readonly [damage: () => void, message: RegExp])[] = [
    [() => copyFileSync(other.key, key), /is not the private key of the certificate in/],
    [() => writeFileSync(key, "no key"), /contains no private key in PEM format/],
    [() => writeFileSync(cert, "half a certif"), /contains no certificate in PEM format/],
    [() => rmSync(cert), /^certificate file .*\.crt: there is no such file/],
  ];
  for (const [damage, message] of cases) {
    damage();
    there.tunnel.reloadCertificates();
    expect(there.warnings.at(-1)).toMatchObject({
      type: "certificate reload failed",
      message: expect.stringMatching(message),
    });
  }
  const here = await scene.client(there.tcp);
  await arrives(here, there, "as before");
});

testTls("the program reloads certificates on SIGHUP", async () => {
  await using scene = new TlsScene();
  const { cert, key } = scene.identity;
  const tcp = freeTcpPort();
  const target = `${TUNNEL_HOST}/${await freeUdpPort()}`;
  const args = ["-v", "-s", `${TUNNEL_HOST}/${tcp}`, "--tls", "--cert", cert, "--key", key, target];
  await using program = new Program(args);
  await program.says("listening");
  const renewed = scene.certificates.selfSigned({ name: TUNNEL_HOST });
  replace(scene.identity, renewed);
  program.child.kill("SIGHUP");
  await program.says("the certificates were reloaded; new connections use them");
  const here = await scene.client(tcp, { pin: pinOf(renewed) });
  await until("the connection", () => here.tunnel.counters.connects === 1);
  rmSync(key);
  program.child.kill("SIGHUP");
  await program.says("(ENOENT); the previous certificates stay in use");
});

/** Starts with damaged files: the first line of the program. With a status, the program exits. */
const STARTS: readonly (readonly [
  what: string,
  damage: (id: Identity) => void,
  line: RegExp,
  status?: number,
])[] = [
  [
    "a key file that does not exist",
    ({ key }) => rmSync(key),
    /private key file .*\.key: there is no such file; give the path of one that exists \(ENOENT\)$/,
    1,
  ],
  [
    "an empty certificate file",
    ({ cert }) => writeFileSync(cert, ""),
    /\.crt: contains no certificate in PEM format$/,
    1,
  ],
  ["an encrypted key", encrypt, /\.key: the private key is encrypted; store it without a passphrase$/, 1],
  [
    "a key that other users can read",
    ({ key }) => chmodSync(key, 0o640),
    /\(mode 640\); run chmod 600 on it$/,
  ],
];

for (const [what, damage, line, status] of STARTS) {
  testTls(`the program starts with ${what}`, async () => {
    await using scene = new TlsScene();
    const { cert, key } = scene.identity;
    damage(scene.identity);
    const target = `${TUNNEL_HOST}/${await freeUdpPort()}`;
    await using program = new Program([
      "-s",
      `${TUNNEL_HOST}/${freeTcpPort()}`,
      "--tls",
      "--cert",
      cert,
      "--key",
      key,
      target,
    ]);
    await until("a line", () => program.lines.length > 0);
    expect(program.lines[0]).toMatch(line);
    expect(program.lines).toHaveLength(1);
    if (status !== undefined) expect(await program.exited()).toBe(status);
  });
}

testNeeding(
  "root",
  "setpriv",
  "openssl",
)("a key without read permission gives one clear line, and exit status 1", async () => {
  await using scene = new TlsScene();
  const { cert, key } = scene.identity;
  chownSync(key, 65_534, 65_534); // root without the privilege to read files of other users
  const caps = "-dac_override,-dac_read_search";
  const entry = new URL("../../../src/cli/udptunnel.ts", import.meta.url).pathname;
  const unprivileged = ["setpriv", `--inh-caps=${caps}`, `--bounding-set=${caps}`, process.execPath, entry];
  const ends = ["-s", `${TUNNEL_HOST}/${freeTcpPort()}`, `${TUNNEL_HOST}/${await freeUdpPort()}`];
  await using program = new Program(["--tls", "--cert", cert, "--key", key, ...ends], unprivileged);
  expect(await program.exited()).toBe(1);
  expect(program.lines).toEqual([
    `udptunnel: private key file ${key}: it may not be read; ` +
      "give the user that runs udptunnel access to it and to the directories above it (EACCES)",
  ]);
});

function encrypt({ key }: Identity): void {
  openssl("pkey", "-in", key, "-aes128", "-passout", "pass:secret", "-out", `${key}.encrypted`);
  copyFileSync(`${key}.encrypted`, key);
}
