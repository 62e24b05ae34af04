/** Calling code that is not ours: its faults are seen, and what we were in the middle of goes on. */

/** Calls it; what it throws is {@link raise}d. */
export function invokeListener(run: () => void): void {
  try {
    run();
  } catch (error) {
    raise(error);
  }
}

/** Makes an uncaught exception of an error, in a turn of its own. */
export function raise(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
