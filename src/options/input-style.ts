/** How options were written, which decides how their values are read and how problems name them. */
export interface InputStyle {
  /** What the giver of the option with this key calls it. */
  readonly nameOf: (key: string) => string;
  /**
   * `library`: typed values in the units their keys end in. `written`: the units of the command line (seconds, say), and numbers
   * may be text with a suffix.
   */
  readonly values: "library" | "written";
}
