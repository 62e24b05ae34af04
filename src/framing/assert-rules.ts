/** For the `invariants` methods. @throws Error that names the rules which are false. */
export function assertRules(owner: string, rules: Readonly<Record<string, boolean>>): void {
  const broken = Object.keys(rules).filter((rule) => !rules[rule]);
  if (broken.length > 0) throw new Error(`${owner} breaks its invariants: ${broken.join("; ")}`);
}
