/** Anything that can be closed, and says when it is. */
interface Closable {
  readonly closed: Promise<unknown>;
  close(): Promise<void>;
}

/** Closes it when the signal is aborted; the signal is let go of when it is closed in another way. */
export function closeOnAbort(closable: Closable, signal: AbortSignal | undefined): void {
  if (signal === undefined) return;
  const close = () => void closable.close();
  const letGo = () => signal.removeEventListener("abort", close);
  signal.addEventListener("abort", close, { once: true });
  closable.closed.then(letGo, letGo);
}
