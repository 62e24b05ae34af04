/** An assertion about a promise always passes when it is not awaited. The linter does not find these. */

import { expect, test } from "bun:test";

test("every assertion by .rejects or .resolves is awaited", async () => {
  const unawaited: string[] = [];
  for (const path of new Bun.Glob("**/*.test.ts").scanSync(import.meta.dir)) {
    const text = await Bun.file(`${import.meta.dir}/${path}`).text();
    for (const [assertion] of text.matchAll(/\S*\s*\bexpect\([^;]*?\)\s*\.(rejects|resolves)\b/g))
      if (!/^(await|return|=>)\s/.test(assertion)) unawaited.push(`${path}: ${assertion}`);
  }
  expect(unawaited).toEqual([]);
});
