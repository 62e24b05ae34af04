/** A micro benchmark: the same work done our way and the naive way, on the same datagrams. */

/** The payload sizes measured by default, in bytes; "mix" is a mixture from 0 to 1400. */
export const SIZES = ["0", "64", "172", "512", "1200", "1400", "9000", "65507", "mix"];

const MIXED_BYTES = [0, 64, 172, 172, 172, 512, 1200, 1200, 1400];
const POOL_BYTES_MAX = 4 * 1024 * 1024;
const POOL_DATAGRAMS_MAX = 1024;

/** The datagrams for one row of the table. */
export interface Load {
  /** A payload size in bytes, or "mix". */
  size: string;
  /**
   * At least {@link BATCH_DATAGRAMS} different ones; up to 4 MiB, which is more than the fastest caches hold.
   */
  datagrams: Uint8Array[];
}

/** Datagrams that one call of a contender handles. */
export const BATCH_DATAGRAMS = 32;

/**
 * Prepares one way of doing the work and returns it as a function. Each call handles the next BATCH_DATAGRAMS
 * datagrams of the load, so that no call repeats the last one. The result depends on the bytes handled, so
 * that no compiler can omit the work.
 */
export type Contender = (load: Load) => () => unknown;

/** The default export of each `*.bench.ts` in this folder. */
export interface MicroBench {
  name: string;
  /** What is measured, and what the naive way does instead, in one line. */
  about: string;
  ours: Contender;
  naive: Contender;
}

/** A load of this size: a number of bytes up to 65,507, or "mix". The bytes are the same in every run. */
export function loadOf(size: string): Load {
  const bytesOf = (index: number) =>
    size === "mix" ? (MIXED_BYTES[(index * 5) % MIXED_BYTES.length] ?? 0) : Number(size);
  const count = Math.min(POOL_DATAGRAMS_MAX, Math.floor(POOL_BYTES_MAX / (bytesOf(0) + 1)));
  let state = 1;
  const datagrams = Array.from({ length: count }, (_, index) =>
    new Uint8Array(bytesOf(index)).map(() => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return state >>> 16;
    }),
  );
  return { size, datagrams };
}

/** A function that returns the elements of a list in order, again and again. */
export function cycle<T>(list: readonly T[]): () => T {
  let index = 0;
  return () => {
    if (index === list.length) index = 0;
    return list[index++] as T;
  };
}
