/** An assertion about a promise that nobody awaits passes whatever the promise does; the linter does not see these. */

import { expect, test } from "bun:test";

test("every assertion by .rejects or .resolves is awaited", async () => {
  const unawaited: string[] = [];
  for (const path of new Bun.Glob("**/*.test.ts").scanSync(import.meta.dir)) {
    const text = await Bun.file(`${import.meta.dir}/${path}`).text();
    for (const [what] of text.matchAll(/\S*\s*\bexpect\([^;]*?\)\s*\.(rejects|resolves)\b/g))
      if (!/^(await|return|=>)\s/.test(what)) unawaited.push(`${path}: ${what}`);
  }
  expect(unawaited).toEqual([]);
});
