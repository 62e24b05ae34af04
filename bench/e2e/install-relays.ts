/**
 * Installs the other relays that have a package: `bun run bench:install [--yes]`. It prints each command and
 * asks before it runs it. Relays that are installed, and relays whose installer is missing, are one line.
 */

interface Package {
  relay: string;
  programs: readonly string[];
  installer: string;
  arguments: readonly string[];
  /** Whether the installer needs root. */
  asRoot?: boolean;
}

const PACKAGES: readonly Package[] = [
  {
    relay: "the original",
    programs: ["udptunnel"],
    installer: "apt-get",
    arguments: ["install", "--yes", "udptunnel"],
    asRoot: true,
  },
  {
    relay: "mullvad's relay",
    programs: ["udp2tcp", "tcp2udp"],
    installer: "cargo",
    // It is on no package registry. Its two programs need the feature clap.
    arguments: [
      ...["install", "--git", "https://github.com/mullvad/udp-over-tcp"],
      ...["--features", "clap,env_logger"],
    ],
  },
  {
    relay: "jonhoo's udp-over-tcp",
    programs: ["udp-over-tcp"],
    installer: "cargo",
    arguments: ["install", "udp-over-tcp"],
  },
];

/** Installs a package, after asking. @returns whether its programs are there. */
function install({ relay, programs, installer, arguments: words, asRoot }: Package): boolean {
  const missing = programs.filter((program) => Bun.which(program) === null);
  if (missing.length === 0) {
    process.stdout.write(
      `${relay} is installed: ${programs.map((program) => Bun.which(program)).join(", ")}\n`,
    );
    return true;
  }
  const sudo = asRoot && process.getuid?.() !== 0 ? ["sudo"] : [];
  const command = [...sudo, installer, ...words];
  if (Bun.which(installer) === null) {
    process.stderr.write(
      `${relay}: ${installer} is not on the PATH; install it for "${command.join(" ")}"\n`,
    );
    return false;
  }
  if (process.argv.includes("--yes")) process.stdout.write(`${relay}: running "${command.join(" ")}"\n`);
  else if (!confirm(`${relay}: run "${command.join(" ")}"?`)) return false;
  const { exitCode } = Bun.spawnSync(command, { stdio: ["inherit", "inherit", "inherit"] });
  if (exitCode !== 0) process.stderr.write(`${relay}: not installed, status ${exitCode}\n`);
  return exitCode === 0;
}

process.exitCode = PACKAGES.map(install).every(Boolean) ? 0 : 1;
