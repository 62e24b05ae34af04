import type { OptionDefinition } from "./definition.ts";
import { formatBounds, formatNumber } from "./number.ts";

/** What an option does, and its default and bounds in the command line's units, in sentences. */
export function describe(definition: OptionDefinition): string {
  const facts = [defaultOf(definition), "min" in definition ? `from ${formatBounds(definition)}` : ""].filter(
    (fact) => fact !== "",
  );
  return facts.length === 0 ? definition.help : `${definition.help} ${capitalised(facts.join(", "))}.`;
}

function defaultOf(definition: OptionDefinition): string {
  if (definition.kind === "choice") return `default ${definition.default}`;
  if (!("min" in definition)) return "";
  const value =
    definition.default === undefined ? definition.defaultText : formatNumber(definition.default, definition);
  return value === undefined ? "" : `default ${value}`;
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
