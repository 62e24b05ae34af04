import { expect, test } from "bun:test";
import { changesBetween, type TunnelPlan } from "../../src/config/plan.ts";
import { readServerOptions, type Settings } from "../../src/options/settings.ts";
import { secretOf } from "../options/secret-of.ts";

const settings = (port: number, allow: readonly string[] = ["::1"]): Settings =>
  readServerOptions({ listen: 5000, target: { host: "h", port }, allow });

const plan = (name: string, port: number, allow?: readonly string[]): TunnelPlan => ({
  name,
  settings: settings(port, allow),
});

test("tunnels are kept, changed, removed and added", () => {
  const running = new Map([
    ["same", settings(1)],
    ["other port", settings(2)],
    ["other list", settings(3)],
    ["gone", settings(4)],
  ]);
  const added = plan("new", 5);
  const changed = [plan("other port", 7), plan("other list", 3, ["::1", "::2"])];
  expect(changesBetween(running, [added, ...changed, plan("same", 1)])).toEqual({
    kept: ["same"],
    changed,
    removed: ["gone"],
    added: [added],
  });
});

test("adding or removing an option is a change", () => {
  const [without, withTos] = [settings(1), { ...settings(1), tos: 184 }];
  for (const [before, after] of [
    [without, withTos],
    [withTos, without],
  ] as const) {
    expect(changesBetween(new Map([["a", before]]), [{ name: "a", settings: after }]).changed).toHaveLength(
      1,
    );
  }
});

test("objects that hide their values are compared by equals; without it they differ", () => {
  class WithoutEquals {}
  const keptOf = (before: object, after: object) => {
    const running = new Map([["a", { ...settings(1), secret: before } as Settings]]);
    return changesBetween(running, [{ name: "a", settings: { ...settings(1), secret: after } as Settings }])
      .kept;
  };
  expect(keptOf(secretOf("the same secret text"), secretOf("the same secret text"))).toEqual(["a"]);
  expect(keptOf(secretOf("the same secret text"), secretOf("another secret text"))).toEqual([]);
  expect(keptOf(new WithoutEquals(), new WithoutEquals())).toEqual([]);
});
