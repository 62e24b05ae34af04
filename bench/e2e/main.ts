/**
 * The end-to-end benchmark: how many datagrams a second, how late, and at what price, beside other relays.
 *
 *     bun run bench [--only NAME,...] [--sizes 172,1200] [--rates 50000,...] [--repeat N] [--json FILE]
 *                   [--peer-client CMD --peer-server CMD] [--ports TCP,CLIENT,SERVER]
 *     bun run bench:full ...
 *     bun run bench --compare A.json B.json
 */

import { parseArgs } from "node:util";
import { compareResults } from "./compare.ts";
import { PLANS } from "./plans.ts";
import { killAll } from "./process.ts";
import { Progress } from "./progress.ts";
import { findRelays } from "./relays.ts";
import { describeResults, readResults, resultsPath, writeResults } from "./results.ts";
import { runAll } from "./runner.ts";
import type { Plan } from "./scenario.ts";
import { SCENARIOS } from "./scenarios/index.ts";
import { summarize } from "./statistics.ts";
import { formatTables } from "./table.ts";

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      plan: { type: "string", default: "quick" },
      only: { type: "string" },
      sizes: { type: "string" },
      rates: { type: "string" },
      repeat: { type: "string" },
      json: { type: "string" },
      ports: { type: "string" },
      compare: { type: "boolean", default: false },
      "peer-client": { type: "string" },
      "peer-server": { type: "string" },
    },
  });
  if (values.compare) {
    const [before, after] = positionals;
    if (before === undefined || after === undefined) throw new Error("--compare takes two result files");
    const { text, regressions } = compareResults(await readResults(before), await readResults(after));
    process.stdout.write(`${text}\n`);
    return regressions === 0 ? 0 : 1;
  }
  const scenarios = chosen(values.only);
  const plan = planned(values);
  const { relays, leftOut } = findRelays(givenPeer(values["peer-client"], values["peer-server"]));
  const progress = new Progress(process.stderr);
  const run = await runAll({
    scenarios,
    relays,
    plan,
    ports: givenPorts(values.ports),
    onCell: (label, done, total) => progress.show(label, done, total),
  });
  progress.end();
  const results = describeResults(plan, run.samples, [...leftOut, ...run.leftOut]);
  process.stdout.write(`${formatTables(scenarios, summarize(results.samples), results.leftOut)}\n`);
  const path = values.json ?? (plan.name === "full" ? resultsPath(results) : undefined);
  if (path !== undefined) {
    await writeResults(path, results);
    process.stdout.write(`\nEvery repeat is in ${path}\n`);
  }
  return 0;
}

function chosen(only: string | undefined) {
  if (only === undefined) return SCENARIOS;
  const names = only.split(",");
  const unknown = names.filter((name) => !SCENARIOS.some((scenario) => scenario.name === name));
  if (unknown.length > 0) {
    throw new Error(
      `no scenario ${unknown.join(", ")}; there are ${SCENARIOS.map(({ name }) => name).join(", ")}`,
    );
  }
  return SCENARIOS.filter(({ name }) => names.includes(name));
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

function givenPeer(client: string | undefined, server: string | undefined) {
  if (client === undefined && server === undefined) return undefined;
  if (client === undefined || server === undefined)
    throw new Error("--peer-client and --peer-server go together");
  return { client, server };
}

function givenPorts(text: string | undefined) {
  if (text === undefined) return undefined;
  const [tcp, client, server] = numbers("--ports", text);
  if (tcp === undefined || client === undefined || server === undefined) {
    throw new Error("--ports takes three: TCP,CLIENT-UDP,SERVER-UDP");
  }
  return { tcp, client, server };
}

function numbers(option: string, text: string): number[] {
  return text.split(",").map((word) => {
    const value = Number(word);
    if (!Number.isInteger(value) || value < 1)
      throw new Error(`${option}: "${word}" is no positive whole number`);
    return value;
  });
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
