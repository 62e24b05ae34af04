import { isDeepStrictEqual } from "node:util";
import type { Settings } from "../options/settings.ts";

/** A tunnel to be run. */
export interface TunnelPlan {
  /** What logs and metrics call it; letters, digits and `_`, `-` or `.`, no two alike. */
  readonly name: string;
  readonly settings: Settings;
}

/** What must happen to the tunnels that run so that those of the new plans do. */
export interface Changes {
  /** Names of tunnels that go on undisturbed. */
  readonly kept: readonly string[];
  /** Names of tunnels that are no longer wanted. */
  readonly removed: readonly string[];
  /** Tunnels that run with other settings. */
  readonly changed: readonly TunnelPlan[];
  /** Tunnels that do not run. */
  readonly added: readonly TunnelPlan[];
}

/**
 * Compares what runs, settings by name, with what is to run. Settings are compared by value; one that hides its value, as a
 * secret does, is asked by its method `equals`, and differs when it has none.
 */
export function changesBetween(
  running: ReadonlyMap<string, Settings>,
  plans: readonly TunnelPlan[],
): Changes {
  const fateOf = ({ name, settings }: TunnelPlan) => {
    const before = running.get(name);
    if (before === undefined) return "added";
    return isSame(before, settings) ? "kept" : "changed";
  };
  const { kept = [], changed = [], added = [] } = Object.groupBy(plans, fateOf);
  const wanted = new Set(plans.map(({ name }) => name));
  const removed = [...running.keys()].filter((name) => !wanted.has(name));
  return { kept: kept.map(({ name }) => name), removed, changed, added };
}

function isSame(before: Settings, after: Settings): boolean {
  const [a, b] = [new Map(Object.entries(before)), new Map(Object.entries(after))];
  return [...new Set([...a.keys(), ...b.keys()])].every((key) => isSameValue(a.get(key), b.get(key)));
}

function isSameValue(a: unknown, b: unknown): boolean {
  if (!isOpaque(a)) return isDeepStrictEqual(a, b);
  return "equals" in a && typeof a.equals === "function" && a.equals(b) === true;
}

/** An object of a class may hide what a comparison must see. */
function isOpaque(value: unknown): value is object {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return Object.getPrototypeOf(value) !== Object.prototype;
}
