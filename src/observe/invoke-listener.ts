/**
 * Calls code of the library's user. Its exceptions surface as uncaught ones and do not interrupt the caller.
 */

/** Calls `listener`. An exception of it is {@link raise}d. */
export function invokeListener(listener: () => void): void {
  try {
    listener();
  } catch (error) {
    raise(error);
  }
}

/** Throws the error as an uncaught exception, after the current call stack has finished. */
export function raise(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
