/** A certificate for the relays that are measured with TLS, made for this run and gone after it. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What either end of a relay is given beside the addresses. */
export interface EndArguments {
  readonly server: readonly string[];
  readonly client: readonly string[];
}

const NAME = "relay.bench";

/** Makes a certificate with openssl; undefined when that is not there. */
export function makeTlsArguments(): EndArguments | undefined {
  if (Bun.which("openssl") === null) return undefined;
  const directory = mkdtempSync(join(tmpdir(), "udptunnel-bench-"));
  process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
  const [cert, key] = [join(directory, "cert.pem"), join(directory, "key.pem")];
  const made = Bun.spawnSync([
    ...["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
    ...["-subj", `/CN=${NAME}`, "-addext", `subjectAltName=DNS:${NAME}`, "-days", "2"],
    ...["-out", cert, "-keyout", key],
  ]);
  if (!made.success) throw new Error(`openssl req: ${made.stderr.toString()}`);
  return {
    server: ["--tls", "--cert", cert, "--key", key],
    client: ["--tls", "--ca", cert, "--sni", NAME],
  };
}
