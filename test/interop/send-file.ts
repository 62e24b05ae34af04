/**
 * Transfers random bytes over TCP. `ADDRESS BYTES` serves them, and prints the port and their SHA-256 on
 * stderr. `fetch ADDRESS PORT` reads them, and prints their number and SHA-256.
 */

import { createHash, randomBytes } from "node:crypto";
import { writeSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";

const [first = "", ...rest] = process.argv.slice(2);
const sumOf = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

if (first === "fetch") {
  const [host = "", port = ""] = rest;
  const chunks: Buffer[] = [];
  for await (const chunk of connect({ host, port: Number(port) })) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  writeSync(1, `${bytes.length} ${sumOf(bytes)}\n`);
} else {
  const bytes = randomBytes(Number(rest[0]));
  const server = createServer((socket) => void socket.end(bytes));
  server.listen({ host: first, port: 0 }, () => {
    writeSync(2, `port ${(server.address() as AddressInfo).port} sum ${sumOf(bytes)}\n`);
  });
}
