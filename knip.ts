/**
 * Finds dead code: files, exports and dependencies that nothing uses (`bun run dead-code`). Its second run,
 * with `--production`, leaves the tests out, and so finds what only tests use.
 */

import type { KnipConfig } from "knip";

const production = process.argv.includes("--production");

export default {
  // The mark `!` makes a pattern part of the second run.
  entry: [
    "src/index.ts!",
    "src/framing/index.ts!",
    "bench/e2e/{main,generator,sink,report,install-relays}.ts!",
    "bench/micro/{run,waste,refusal,*.bench}.ts!",
    "scripts/*.ts!",
    "examples/*.ts!",
    "packaging/container/healthy.ts!",
    // Tests run these in processes of their own, by path.
    "test/bench/naive-relay.ts",
    "test/cli/crash.ts",
    // `bun test --preload` loads these.
    "test/support/without-{linux,offload}.ts",
  ],
  project: ["{src,bench,scripts,examples,packaging}/**/*.ts!", "test/**/*.ts"],
  // A constant that its own file uses is in use, and may be exported for tests.
  ignoreExportsUsedInFile: production,
  // Programs of the system. Tests that need one are skipped where it is missing.
  ignoreBinaries: ["ip", "wg"],
  // test/package/package.test.ts runs both by path.
  ignoreDependencies: ["@arethetypeswrong/cli", "publint"],
} satisfies KnipConfig;
