/** An empty project with the packed package added to it, as users have it. */

import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const ROOT = new URL("../..", import.meta.url).pathname;

export class PackedProject implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "udptunnel-package-"));
  readonly tarball: string;

  constructor() {
    // The script `prepack` of package.json builds the package first.
    run(ROOT, process.execPath, "pm", "pack", "--destination", this.folder);
    const [name = ""] = readdirSync(this.folder);
    this.tarball = join(this.folder, name);
    writeFileSync(
      join(this.folder, "package.json"),
      '{ "name": "empty", "private": true, "type": "module" }',
    );
    run(this.folder, process.execPath, "add", `./${name}`);
    // A project with TypeScript has Bun's types, too.
    mkdirSync(join(this.folder, "node_modules/@types"), { recursive: true });
    for (const types of ["bun-types", "@types/node", "undici-types"]) {
      symlinkSync(join(ROOT, "node_modules", types), join(this.folder, "node_modules", types));
    }
  }

  write(file: string, text: string): void {
    writeFileSync(join(this.folder, file), text);
  }

  /** Copies a file of the repository into the project's folder. */
  take(file: string): void {
    cpSync(join(ROOT, file), join(this.folder, file.replace(/.*\//, "")));
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/**
 * Runs a program to its end.
 *
 * @returns its output on stdout.
 * @throws Error with all its output when it fails.
 */
export function run(cwd: string, ...command: string[]): string {
  // Programs of the package begin with `env bun`, and Bun may be installed only in node_modules.
  const { PATH } = process.env;
  const env = { ...process.env, PATH: `${join(ROOT, "node_modules/.bin")}:${PATH}` };
  const { exitCode, stdout, stderr } = Bun.spawnSync(command, { cwd, env, stdin: "ignore" });
  if (exitCode !== 0) throw new Error(`${command.join(" ")} failed (${exitCode}):\n${stdout}\n${stderr}`);
  return stdout.toString();
}
