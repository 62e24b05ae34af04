/**
 * Calls code that is not ours. What it throws is raised as an uncaught exception in a turn of its own: the fault is
 * seen, as it would be in an event listener, and what we were in the middle of goes on.
 */
export function callOut(run: () => void): void {
  try {
    run();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
