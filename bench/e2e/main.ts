/** The end-to-end benchmark: throughput, latency and cost of udptunnel and of other relays. */

import type { WriteStream } from "node:tty";
import { parseArgs } from "node:util";
import { compareResults } from "./compare.ts";
import { readRelays } from "./given-relays.ts";
import { PLANS } from "./plans.ts";
import { killAll } from "./process.ts";
import { findRelays } from "./relays.ts";
import { busyWarning, describeRun, FULL_RESULT, readResults, writeResults } from "./results.ts";
import { type RunResult, runAll } from "./runner.ts";
import type { Plan } from "./scenario.ts";
import { SCENARIOS } from "./scenarios/index.ts";
import { summarize } from "./statistics.ts";
import { formatTables } from "./table.ts";

const USAGE = `bun run bench [options], or bun run bench:full [options]
  --plan NAME            quick (default), full, or table: delay and cost at the rates of most users
  --only NAME,...        scenarios: ${SCENARIOS.map(({ name }) => name).join(", ")}
  --sizes BYTES,...      payloads of throughput scenarios
  --rates N,...          datagrams a second of the rate sweep
  --repeat N             repeats of each cell
  --relays NAME,...      some of the relays found
  --relay NAME='SERVER COMMAND'/'CLIENT COMMAND'
                         another relay; may be given several times. In both commands,
                           {tcp}         is the TCP port of the server
                           {serverHost}  is the address of the server
                           {server}      is the UDP port of the server and of the application at {serverApp}
                           {client}      is the UDP port of the client and of the application at {clientApp}
  --per-source NAME[=ARGUMENTS]
                         the relay NAME of --relay has one connection per UDP source; ARGUMENTS switch this
                         mode on, before the last argument of each command
  --ports TCP,CLIENT,SERVER
                         fixed ports
  --json FILE            the file for raw repeats (bench:full without options: bench/results/full.json)
  --help                 show this text
bun run bench --compare A.json B.json
                         exit status 1 when B is worse than A by more than the spread of the repeats

Example of --relay:
  bun run bench --relay mullvad='tcp2udp --tcp-listen {serverHost}:{tcp} --udp-forward {serverApp}:{server}'/\\
'udp2tcp --udp-listen 0.0.0.0:{client} --tcp-forward {serverHost}:{tcp}'
`;

const OPTIONS = {
  plan: { type: "string", default: "quick" },
  help: { type: "boolean", default: false },
  only: { type: "string" },
  sizes: { type: "string" },
  rates: { type: "string" },
  repeat: { type: "string" },
  json: { type: "string" },
  ports: { type: "string" },
  relays: { type: "string" },
  compare: { type: "boolean", default: false },
  relay: { type: "string", multiple: true },
  "per-source": { type: "string", multiple: true },
} as const;

const BAR_WIDTH = 24;

async function main(): Promise<number> {
  const { values, positionals, tokens } = parseArgs({
    allowPositionals: true,
    tokens: true,
    options: OPTIONS,
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  if (values.compare) {
    const [before, after] = positionals;
    if (before === undefined || after === undefined) throw new Error("--compare takes two result files");
    const { text, regressions } = compareResults(await readResults(before), await readResults(after));
    process.stdout.write(`${text}\n`);
    return regressions === 0 ? 0 : 1;
  }
  const plan = planned(values);
  const scenarios = chosen("scenario", SCENARIOS, values.only?.split(",") ?? plan.only);
  const { relays: found, leftOut } = findRelays(readRelays(values.relay ?? [], values["per-source"] ?? []));
  const standard = found.filter(({ variant }) => !variant || plan.variants !== false);
  const relays = values.relays === undefined ? standard : chosen("relay", found, values.relays.split(","));
  const words = tokens.flatMap((token) =>
    token.kind === "option" && token.name !== "json" ? [token.rawName, token.value ?? []].flat() : [],
  );
  const path = values.json ?? (words.join(" ") === "--plan full" ? FULL_RESULT : undefined);
  if (path === undefined && (plan.name === "full" || plan.name === "table")) {
    throw new Error("give a file for the results: --json FILE");
  }
  const results = describeRun(plan, words, leftOut);
  const keep = (run: RunResult) => {
    Object.assign(results, { samples: run.samples, leftOut: [...leftOut, ...run.leftOut] });
    if (path !== undefined) writeResults(path, results);
  };
  const warning = busyWarning(results);
  const progress = new Progress(process.stderr);
  const run = await runAll({
    scenarios,
    relays,
    plan,
    ports: givenPorts(values.ports),
    onStart: (seconds) => {
      process.stderr.write(`About ${Math.ceil(seconds / 60)} min\n`);
      if (warning !== undefined) process.stderr.write(`${warning}\n`);
    },
    onCell: (label, done, total) => progress.show(label, done, total),
    onRound: keep,
  });
  keep(run);
  progress.end();
  process.stdout.write(`${formatTables(scenarios, summarize(results.samples), results.leftOut)}\n`);
  if (warning !== undefined) process.stdout.write(`\n${warning}\n`);
  if (path !== undefined) process.stdout.write(`\nEvery repeat is in ${path}\n`);
  return 0;
}

function chosen<T extends { name: string }>(
  kind: string,
  all: readonly T[],
  names: readonly string[] = all.map(({ name }) => name),
): readonly T[] {
  const unknown = names.filter((name) => !all.some((one) => one.name === name));
  if (unknown.length > 0) {
    throw new Error(`no ${kind} ${unknown.join(", ")}; there are ${all.map(({ name }) => name).join(", ")}`);
  }
  return all.filter(({ name }) => names.includes(name));
}

function planned(values: { plan: string; sizes?: string; rates?: string; repeat?: string }): Plan {
  const base = PLANS[values.plan as keyof typeof PLANS];
  if (base === undefined)
    throw new Error(`no plan "${values.plan}"; there are ${Object.keys(PLANS).join(", ")}`);
  return {
    ...base,
    ...(values.sizes && { sizes: numbers("--sizes", values.sizes) }),
    ...(values.rates && { rates: numbers("--rates", values.rates).sort((a, b) => a - b) }),
    ...(values.repeat && { repeats: numbers("--repeat", values.repeat)[0] as number }),
  };
}

function givenPorts(text: string | undefined) {
  if (text === undefined) return undefined;
  const [tcp, client, server] = numbers("--ports", text);
  if (tcp === undefined || client === undefined || server === undefined) {
    throw new Error("--ports needs three ports: TCP,CLIENT-UDP,SERVER-UDP");
  }
  return { tcp, client, server };
}

function numbers(option: string, text: string): number[] {
  return text.split(",").map((word) => {
    const value = Number(word);
    if (!Number.isInteger(value) || value < 1)
      throw new Error(`${option}: "${word}" is not a positive integer`);
    return value;
  });
}

/** A progress bar on a terminal; elsewhere one line for each cell. */
class Progress {
  readonly #out: WriteStream;
  readonly #startedMs = performance.now();

  constructor(out: WriteStream) {
    this.#out = out;
  }

  show(label: string, done: number, total: number): void {
    const elapsedS = (performance.now() - this.#startedMs) / 1000;
    const leftS = done === 0 ? undefined : (elapsedS / done) * (total - done);
    const left = leftS === undefined ? "" : ` ${Math.ceil(leftS)} s left`;
    if (!this.#out.isTTY) {
      if (label !== "") this.#out.write(`${done + 1}/${total} ${label}\n`);
      return;
    }
    const filled = Math.round((BAR_WIDTH * done) / Math.max(1, total));
    const line = `${"█".repeat(filled)}${"░".repeat(BAR_WIDTH - filled)} ${done}/${total}${left}  ${label}`;
    this.#out.write(`\r\x1b[K${line.slice(0, (this.#out.columns || 80) - 1)}`);
  }

  end(): void {
    if (this.#out.isTTY) this.#out.write("\r\x1b[K");
  }
}

for (const [signal, status] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const) {
  process.on(signal, () => process.exit(status));
}
process.on("exit", killAll);

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 2;
}
