/** A part of a document that is written by `scripts/generate.ts`. */
export interface Generated {
  /** The line before it, without a line feed. */
  readonly begin: string;
  /** The line after it. */
  readonly end: string;
  /** What stands between: begins and ends with a line feed. */
  readonly lines: string;
}
