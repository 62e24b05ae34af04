/** Uses this much CPU time. */
export function burn(microseconds: number): void {
  const from = process.cpuUsage();
  for (;;) {
    const { user, system } = process.cpuUsage(from);
    if (user + system >= microseconds) return;
  }
}
