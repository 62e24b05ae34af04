import { formatBounds, formatNumber } from "./number.ts";
import type { OptionSpec } from "./spec.ts";

/** What an option does, and its default and bounds in the command line's units, in sentences. */
export function describe(spec: OptionSpec): string {
  const facts = [defaultOf(spec), "min" in spec ? `from ${formatBounds(spec)}` : ""].filter(
    (fact) => fact !== "",
  );
  return facts.length === 0 ? spec.help : `${spec.help} ${capitalised(facts.join(", "))}.`;
}

function defaultOf(spec: OptionSpec): string {
  if (spec.kind === "choice") return `default ${spec.default}`;
  if (!("min" in spec)) return "";
  const value = spec.default === undefined ? spec.defaultText : formatNumber(spec.default, spec);
  return value === undefined ? "" : `default ${value}`;
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
