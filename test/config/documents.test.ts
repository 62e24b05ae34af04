/** The examples in files and documents are valid. */

import { expect, test } from "bun:test";
import { readConfig } from "../support/read-config.ts";

const read = (path: string) => Bun.file(new URL(`../../${path}`, import.meta.url)).text();

test("the example in the documentation equals the example file and is valid", async () => {
  const page = await read("docs/configuration.md");
  const blocks = [...page.matchAll(/```toml\n(.*?)```/gs)].map(([, block = ""]) => block);
  expect(blocks).toHaveLength(1);
  expect(readConfig(blocks.join()).problems).toEqual([]);
  expect(await read("examples/udptunnel.toml")).toEndWith(`\n\n${blocks.join()}`);
});

test("the message quoted in the documentation is the real one", async () => {
  const [, line, option, problem] =
    /`udptunnel\.toml:(\d+): tunnel\.media\.(\S+): (.*?)`/.exec(await read("docs/configuration.md")) ?? [];
  const text = (await read("examples/udptunnel.toml")).replace("max-delay", option ?? "");
  expect(readConfig(text).problems).toEqual([
    { path: ["tunnel", "media", option ?? ""], line: Number(line), problem: problem ?? "" },
  ]);
});
