/**
 * Installs the original udptunnel for comparison: `bun run bench:install [--yes]`. It prints the command and
 * asks before it runs it.
 */

import { createInterface } from "node:readline/promises";

async function main(): Promise<number> {
  if (Bun.which("udptunnel") !== null) {
    process.stdout.write(`udptunnel is installed: ${Bun.which("udptunnel")}\n`);
    return 0;
  }
  if (Bun.which("apt-get") === null) {
    process.stderr.write(
      "This system has no apt-get. Build UDPTunnel 1.1 from source and put it on the PATH.\n",
    );
    return 1;
  }
  const command = [...(process.getuid?.() === 0 ? [] : ["sudo"]), "apt-get", "install", "--yes", "udptunnel"];
  if (!process.argv.includes("--yes") && !(await agreed(`Run "${command.join(" ")}"? [y/N] `))) return 1;
  return await Bun.spawn(command, { stdio: ["inherit", "inherit", "inherit"] }).exited;
}

async function agreed(question: string): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await lines.question(question);
  lines.close();
  return /^y(es)?$/i.test(answer.trim());
}

process.exitCode = await main();
