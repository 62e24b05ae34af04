/** The one of `names` that was most likely meant by `text`: it starts like it, or few letters differ; undefined when none does. */
export function nearest(text: string, names: Iterable<string>): string | undefined {
  let best: string | undefined;
  let least = Math.max(2, Math.floor(text.length / 3)) + 1;
  for (const name of names) {
    const begun = text.length >= 3 && name.startsWith(text);
    if (!begun && Math.abs(text.length - name.length) >= least) continue; // so many letters differ at least
    const distance = begun ? 0.5 : editDistance(text, name);
    if (distance < least && distance < text.length) [best, least] = [name, distance];
  }
  return best;
}

/** How many letters must be put in, taken out or changed to make `b` of `a`. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (const [line, letter] of [...a].entries()) {
    const next = [line + 1];
    for (const [column, other] of [...b].entries()) {
      const changed = (row[column] ?? 0) + (letter === other ? 0 : 1);
      next.push(Math.min(changed, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
