import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readConfigFile } from "../../src/config/config-file.ts";
import { NetError } from "../../src/net/network.ts";
import { readRegularFile } from "../../src/net/regular-file.ts";
import { Certificates, type TlsFiles } from "../../src/net/tls/certificates.ts";
import { client, problemsOf } from "../options/given.ts";

let folder = "";
const at = (name: string) => join(folder, name);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "udptunnel-file-"));
  expect(Bun.spawnSync(["mkfifo", at("pipe")]).exitCode).toBe(0);
  symlinkSync(at("pipe"), at("link"));
  writeFileSync(at("large"), new Uint8Array((4 << 20) + 1));
});
afterAll(() => rmSync(folder, { recursive: true }));

const PIPE =
  "it is a pipe, as <(...) and often /dev/stdin are; " +
  "write its content to a regular file, and give the path of that";
const DEVICE = "it is a device; give the path of a regular file";
const DIRECTORY = "it is a directory; give the path of a file";
const NONE = "there is no such file; give the path of one that exists (ENOENT)";

test("a regular file is read, with its mode", () => {
  writeFileSync(at("good"), "content");
  chmodSync(at("good"), 0o640);
  const { bytes, mode } = readRegularFile(at("good"), 7);
  expect([Buffer.from(bytes).toString(), mode]).toEqual(["content", 0o640]);
  if (process.platform === "linux")
    expect(readRegularFile("/proc/self/limits", 100_000).bytes.length).toBeGreaterThan(100);
});

describe("any other file is an error at once, even a pipe without a writer or an endless device", () => {
  test.each([
    ["pipe", "EINVAL", PIPE],
    ["link", "EINVAL", PIPE],
    ["/dev/zero", "EINVAL", DEVICE],
    [".", "EISDIR", DIRECTORY],
    ["none", "ENOENT", NONE],
    ["large", "EFBIG", "it is larger than 100 bytes; give the path of the right file"],
  ])("%s", (name, code, message) => {
    const path = name.startsWith("/") ? name : at(name);
    expect(() => readRegularFile(path, 100)).toThrow(new NetError(code, message));
  });

  test("a socket", () => {
    using _server = Bun.listen({ unix: at("socket"), socket: { data() {} } });
    expect(() => readRegularFile(at("socket"), 100)).toThrow("it is a socket; give the path");
  });
});

const FILES = [
  ["pipe", PIPE],
  ["/dev/zero", DEVICE],
  [".", DIRECTORY],
  ["none", NONE],
  ["large", /it is larger than \d+ bytes/],
] as const;

describe.each(FILES)("a problem with the file %s is reported in one line", (name, problem) => {
  const path = () => (name.startsWith("/") ? name : at(name));
  const line = (text: string) =>
    expect(text).toMatch(problem instanceof RegExp ? problem : RegExp(escaped(problem)));

  test("as a secret file", () => {
    const problems = problemsOf(() => client({ secretFile: path() }));
    expect(problems).toHaveLength(1);
    expect(problems[0]).toStartWith(`secretFile: ${JSON.stringify(path())}: `);
    line(problems[0] ?? "");
  });

  test("as a configuration", async () => {
    const { problems } = await readConfigFile(path(), []);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toStartWith(`${path()}: `);
    line(problems[0] ?? "");
  });

  test("as a certificate or authorities", () => {
    const messageOf = (files: TlsFiles) => {
      try {
        new Certificates(files, () => {});
      } catch (error) {
        return error instanceof NetError ? error.message : "";
      }
      return "";
    };
    const ca = messageOf({ role: "client", ca: path() });
    const cert = messageOf({ role: "server", cert: path(), key: path() });
    expect(ca).toStartWith(`authorities file ${path()}: `);
    expect(cert).toStartWith(`certificate file ${path()}: `);
    for (const message of [ca, cert]) line(message);
  });
});

const escaped = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
