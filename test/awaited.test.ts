/** An assertion about a promise that nobody awaits passes whatever the promise does; the linter does not see these. */

import { expect, test } from "bun:test";

test("every assertion by .rejects or .resolves is awaited", async () => {
  const unawaited: string[] = [];
  for (const path of new Bun.Glob("**/*.test.ts").scanSync(import.meta.dir)) {
    const text = await Bun.file(`${import.meta.dir}/${path}`).text();
    // A statement begins after a semicolon or a brace.
    for (const [, statement = ""] of text.matchAll(
      /[;{}]\s*([^;{}]*\bexpect\([^;]*?\)\s*\.(?:rejects|resolves)\b)/g,
    ))
      if (!/^(await|return)\b/.test(statement)) unawaited.push(`${path}: ${statement}`);
  }
  expect(unawaited).toEqual([]);
});
