/** Long enough for a busy machine, shorter than the time limit of a test (package.json). */
export const PATIENCE_MS = 40_000;

/**
 * Polls until `holds` returns true, where there is no event to await.
 *
 * @throws Error with `what` when the time is up.
 */
export async function until(what: string, holds: () => boolean, timeoutMs = PATIENCE_MS): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms without success for: ${what}`);
    await Bun.sleep(2);
  }
}
