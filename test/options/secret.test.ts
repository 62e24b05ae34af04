/** Which secrets are valid, and that no output shows one. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { parseArguments } from "../../src/cli/arguments.ts";
import { startClient, startServer } from "../../src/index.ts";
import { SECRET_BYTES_MAX, type Secret } from "../../src/options/secret.ts";
import { CLIENT, Scene, SERVER } from "../support/memory-tunnels.ts";
import { client, problemsOf, server } from "./given.ts";
import { secretOf } from "./secret-of.ts";

const TEXT = "a-secret-that-must-not-be-seen";
let folder = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "udptunnel-secret-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

function fileWith(content: string | Uint8Array, mode = 0o600): string {
  const file = join(folder, `${mode.toString(8)}-${content.length}`);
  writeFileSync(file, content);
  chmodSync(file, mode);
  return file;
}

const same = (one: Secret, other: Secret) => expect(one.sign()).toEqual(other.sign());

describe("a secret", () => {
  test("does not include one line break at its end", () => {
    for (const end of ["\n", "\r\n"]) same(secretOf(TEXT + end), secretOf(TEXT));
    expect(secretOf(`${TEXT}\n\n`).sign()).not.toEqual(secretOf(TEXT).sign());
    expect(secretOf(`${TEXT} `).sign()).not.toEqual(secretOf(TEXT).sign());
  });

  test("is the same as bytes or as text, and the bytes are copied", () => {
    const bytes = new TextEncoder().encode(TEXT);
    const secret = secretOf(bytes);
    bytes.fill(0);
    same(secret, secretOf(TEXT));
  });

  test("has 16 to 4096 bytes", () => {
    secretOf("x".repeat(16));
    secretOf("x".repeat(SECRET_BYTES_MAX));
    expect(() => secretOf(`${"x".repeat(15)}\n`)).toThrow("has 15 bytes; give at least 16");
    expect(() => secretOf("x".repeat(SECRET_BYTES_MAX + 1))).toThrow("is longer than 4096 bytes");
  });

  test("is not longer for white space and control characters at its ends", () => {
    const weak = [
      " ".repeat(16),
      "\n".repeat(17),
      "\t\r\n ".repeat(9),
      "\0".repeat(16),
      `  ${"x".repeat(15)}  `,
    ];
    const tooShort =
      /^has (0|15) bytes(, not counting white space at its ends)?; give at least 16 \(openssl rand/;
    for (const text of weak) {
      expect(() => secretOf(text)).toThrow(tooShort);
      expect(() => secretOf(new TextEncoder().encode(text))).toThrow(tooShort);
      expect(problemsOf(() => server({ secret: text }))).toHaveLength(1);
      expect(problemsOf(() => server({ secretFile: fileWith(text) }))).toHaveLength(1);
      const { kind } = parseArguments(["-s", "5000", "h/4000"], { UDPTUNNEL_SECRET: text });
      expect(kind).toBe("invalid");
    }
    expect(secretOf(` ${"x".repeat(16)} `).sign()).not.toEqual(secretOf("x".repeat(16)).sign());
  });

  test("may have white space bytes at its ends if it is not text", () => {
    secretOf(new Uint8Array([0x20, ...Array(14).fill(0xfe), 0x0a, 0x20]));
    secretOf(new Uint8Array(16).fill(0xff, 1));
  });

  test("is not shown, however it is printed", () => {
    const secret = secretOf(TEXT);
    const settings = server({ secret: TEXT });
    const shown = [secret, settings].flatMap((it) => [
      inspect(it, { depth: 9, showHidden: true }),
      Bun.inspect(it),
      JSON.stringify(it),
      `${it}`,
    ]);
    for (const text of shown) {
      expect(text).not.toContain(TEXT);
      expect(text).not.toContain(Array.from(Buffer.from(TEXT)).slice(0, 4).join(", "));
      expect(text).not.toContain(Array.from(Buffer.from(TEXT)).slice(0, 4).join(","));
    }
    expect(shown.slice(0, 4)).toEqual(["[secret]", "[secret]", '"[secret]"', "[secret]"]);
  });
});

describe("the options secret and secretFile", () => {
  test("take the same secret as a file and as text", () => {
    const { secret } = client({ secretFile: fileWith(`${TEXT}\n`) });
    same(secret as Secret, secretOf(TEXT));
    expect(secret?.exposed).toBeUndefined();
  });

  test("report a bad file by its name, and show nothing of its content", () => {
    const short = fileWith("short-and-sweet");
    expect(problemsOf(() => server({ secretFile: short }))).toEqual([
      expect.stringMatching(/^secretFile: the secret in ".*" has 15 bytes; give at least 16/),
    ]);
    expect(problemsOf(() => server({ secretFile: "/dev/zero" }))).toEqual([
      'secretFile: "/dev/zero": it is a device; give the path of a regular file',
    ]);
    expect(problemsOf(() => server({ secretFile: join(folder, "none") }))).toEqual([
      expect.stringMatching(
        /^secretFile: ".*none": there is no such file; give the path of one that exists \(ENOENT\)$/,
      ),
    ]);
    expect(problemsOf(() => server({ secretFile: folder }))).toEqual([
      expect.stringMatching(/^secretFile: ".*": it is a directory; give the path of a file$/),
    ]);
    expect(problemsOf(() => server({ secret: "short-and-sweet" })).join()).not.toContain("sweet");
    expect(problemsOf(() => server({ secret: 12_345 }))).toEqual([
      "secret: is neither text nor a Uint8Array; give one of these",
    ]);
  });

  test("exclude each other", () => {
    expect(problemsOf(() => client({ secret: TEXT, secretFile: fileWith(TEXT) }))).toEqual([
      "secretFile: does not go with secret; give one of them",
    ]);
  });

  test("satisfy requireAuth, which allowed addresses do not", () => {
    server({ requireAuth: true, secret: TEXT });
    for (const options of [{}, { allow: "192.0.2.1" }, { listen: "127.0.0.1/5000" }]) {
      expect(problemsOf(() => server({ requireAuth: true, ...options }))).toEqual([
        expect.stringMatching(/^requireAuth: requires clients to authenticate/),
      ]);
    }
    expect(problemsOf(() => client({ requireAuth: true }))).toContain(
      "requireAuth: is for the server only; leave it out",
    );
  });

  test("cause one warning if other users may read the file", async () => {
    const scene = new Scene();
    const file = fileWith(TEXT, 0o640);
    const { warnings } = await scene.server({ secretFile: file });
    expect(warnings).toEqual([{ type: "secret exposed", file, mode: 0o640 }]);
    await scene.end();
  });
});

test("a server with a secret does not warn of an unauthenticated listener", async () => {
  const scene = new Scene();
  expect((await scene.server({ secret: TEXT })).warnings).toEqual([]);
  await scene.end();
  const open = new Scene();
  expect((await open.server()).warnings).toMatchObject([{ type: "unauthenticated listener" }]);
  await open.end();
});

test("running tunnels, their counters, events and errors do not show the secret", async () => {
  const scene = new Scene();
  const { server: serverEnd, client: clientEnd } = await scene.pair({ secret: TEXT }, { secret: `${TEXT}!` });
  await scene.clock.advance(11_000);
  const wrong = await startServer({ listen: "x", target: "", secret: TEXT } as never).catch((error) => error);
  const alsoWrong = await startClient({ connect: "x", target: "x", secret: "sixteen--" } as never).catch(
    (e) => e,
  );
  const shown = [serverEnd, clientEnd, wrong, alsoWrong, wrong.problems].flatMap((it) => [
    inspect(it, { depth: 12, showHidden: true }),
    Bun.inspect(it, { depth: 12 }),
    String(it?.stack),
  ]);
  expect(serverEnd.events.map(({ type }) => type)).toContain("wrong secret");
  expect(shown.join("\n")).toContain(SERVER);
  expect(shown.join("\n")).toContain(CLIENT);
  for (const text of [TEXT, "sixteen--"]) expect(shown.join("\n")).not.toContain(text);
  await scene.end();
});
