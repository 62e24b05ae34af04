/** The one way to stderr. */

import { writeSync } from "node:fs";

/** What is kept on the terminal's last lines. */
export interface Footer {
  clear(): void;
  draw(): void;
}

let footer: Footer | undefined;

/** From now on lines are written above this; undefined for no more. */
export function keepBelow(what: Footer | undefined): void {
  footer = what;
}

let format = (line: string): string => `udptunnel: ${line}`;

/** From now on `say` writes lines in this form. */
export function sayAs(form: (line: string) => string): void {
  format = form;
}

/** Writes one line to stderr at once: what is said last must not be lost in a buffer when the process ends. */
export function say(line: string): void {
  writeLine(format(line));
}

/** Writes one line as it is. */
export function writeLine(line: string): void {
  footer?.clear();
  writeNow(`${line}\n`);
  footer?.draw();
}

/** Writes text at once. */
export function writeNow(text: string): void {
  try {
    writeSync(2, text);
  } catch {
    // Nobody reads stderr any more (EPIPE, or a full pipe without a reader): the tunnel goes on.
  }
}
