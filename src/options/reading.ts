/** What reading one value gave: the value, or in words what is wrong with it and what to give instead. */
export type Reading<Value> = { readonly value: Value } | { readonly problem: string };

/** A value that could be read. */
export function read<Value>(value: Value): Reading<Value> {
  return { value };
}

/** A value that could not: `problem` continues the line that names the option. */
export function wrong(problem: string): { readonly problem: string } {
  return { problem };
}

/** What somebody wrote, as a message shows it: text in quotes with what cannot be printed escaped, the rest as JSON. */
export function quoted(input: unknown): string {
  if (typeof input === "number" || typeof input === "bigint") return String(input);
  return JSON.stringify(input) ?? String(input);
}
