/**
 * Polls until `holds`, for what has no event to wait for.
 *
 * @throws Error naming `what` when it does not come true in time.
 */
export async function until(what: string, holds: () => boolean, timeoutMs = 4000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain: ${what}`);
    await Bun.sleep(2);
  }
}
