/** The files people copy from can be used as they are. */

import { expect, test } from "bun:test";
import { readConfig } from "../support/read-config.ts";

const read = (path: string) => Bun.file(new URL(`../../${path}`, import.meta.url)).text();

test("the example in the documentation is the one in the examples, and is right", async () => {
  const page = await read("docs/configuration.md");
  const blocks = [...page.matchAll(/```toml\n(.*?)```/gs)].map(([, block = ""]) => block);
  expect(blocks).toHaveLength(1);
  expect(readConfig(blocks.join()).problems).toEqual([]);
  expect(await read("examples/udptunnel.toml")).toEndWith(`\n\n${blocks.join()}`);
});

test("the message it quotes is the one that is shown", async () => {
  const [, line, option, problem] =
    /`udptunnel\.toml:(\d+): tunnel\.media\.(\S+): (.*?)`/.exec(await read("docs/configuration.md")) ?? [];
  const text = (await read("examples/udptunnel.toml")).replace("max-delay", option ?? "");
  expect(readConfig(text).problems).toEqual([
    { path: ["tunnel", "media", option ?? ""], line: Number(line), problem: problem ?? "" },
  ]);
});
