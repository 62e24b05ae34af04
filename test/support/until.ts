/** Long enough for a machine that is busy with other things, shorter than the limit of any test (package.json). */
export const PATIENCE_MS = 40_000;

/**
 * Polls until `holds`, for what has no event to wait for.
 *
 * @throws Error naming `what` when it does not come true in time.
 */
export async function until(what: string, holds: () => boolean, timeoutMs = PATIENCE_MS): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain: ${what}`);
    await Bun.sleep(2);
  }
}
