/** Certificates for tests, made by the openssl program. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The paths of two PEM files. */
export interface Identity {
  readonly cert: string;
  readonly key: string;
}

export interface CertificateOptions {
  /** The host name or address literal that the certificate is for. */
  readonly name?: string;
  /** The certificate expires this many days from now; -1 gives one that expired a day ago. */
  readonly days?: number;
}

/** A directory of certificates, deleted at the end of its scope. */
export class Certificates implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), "udptunnel-tls-"));
  #count = 0;

  /** Creates an authority, for {@link issue}. */
  authority(): Identity {
    return this.#make({ name: "authority" }, ({ key }) => ["-signkey", key], "basicConstraints=CA:TRUE\n");
  }

  /** Creates a self-signed certificate. */
  selfSigned(options: CertificateOptions = {}): Identity {
    return this.#make(options, ({ key }) => ["-signkey", key]);
  }

  /** Creates a certificate that an authority signs. */
  issue(by: Identity, options: CertificateOptions = {}): Identity {
    return this.#make(options, () => ["-CA", by.cert, "-CAkey", by.key]);
  }

  /** Writes a file in this directory that only the owner can access. @returns its path. */
  write(name: string, text: string): string {
    const file = join(this.directory, name);
    writeFileSync(file, text, { mode: 0o600 });
    return file;
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true });
  }

  #make(
    { name = "localhost", days = 30 }: CertificateOptions,
    signing: (made: Identity) => string[],
    extension = "",
  ): Identity {
    const number = `${++this.#count}`;
    const stem = join(this.directory, number);
    const made = { cert: `${stem}.crt`, key: `${stem}.key` };
    const request = `${stem}.request`;
    const extensions = this.write(
      `${number}.extensions`,
      `subjectAltName=${alternative(name)}\n${extension}`,
    );
    openssl("req", ...NEW_KEY, "-keyout", made.key, "-out", request, "-subj", `/CN=${name}`);
    const dates = ["-days", `${days}`, "-set_serial", `${Date.now()}${number}`];
    openssl(
      "x509",
      "-req",
      "-in",
      request,
      "-out",
      made.cert,
      "-extfile",
      extensions,
      ...dates,
      ...signing(made),
    );
    return made;
  }
}

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

function alternative(name: string): string {
  return /^[\d.]+$/.test(name) ? `IP:${name}` : `DNS:${name}`;
}

/** The pin of a certificate's public key, in hexadecimal, computed by openssl. */
export function pinOf({ cert }: Identity): string {
  const publicKey = openssl("x509", "-in", cert, "-pubkey", "-noout");
  const spki = run(["openssl", "pkey", "-pubin", "-outform", "der"], publicKey);
  return `sha256:${new Bun.CryptoHasher("sha256").update(spki).digest("hex")}`;
}

/** Runs openssl. @returns its output. */
export function openssl(...args: string[]): Buffer {
  return run(["openssl", ...args]);
}

function run(command: string[], input?: Buffer): Buffer {
  const { exitCode, stdout, stderr } = Bun.spawnSync(command, { stdin: input ?? "ignore" });
  if (exitCode !== 0) throw new Error(`${command.join(" ")}: ${stderr.toString()}`);
  return stdout;
}
