/** The result of reading one value: the value, or a problem, which says what is wrong and what is allowed. */
export type ParseResult<Value> = { readonly value: Value } | { readonly problem: string };

export function parsed<Value>(value: Value): ParseResult<Value> {
  return { value };
}

/** @param problem continues the line that names the option. */
export function parseError(problem: string): { readonly problem: string } {
  return { problem };
}
