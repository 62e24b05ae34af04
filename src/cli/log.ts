/** The only way to stderr. It never blocks: while stderr is not read, lines are dropped and counted. */

import { printable } from "../options/message-text.ts";
import { LineWriter } from "./line-writer.ts";
import { writeAll } from "./write-all.ts";

/** How long the program waits for stderr to be read before it ends. */
const FLUSH_MS = 1000;

/** What is kept on the terminal's last lines. */
export interface Footer {
  clear(): void;
  draw(): void;
}

let footer: Footer | undefined;

/** From now on lines are written above this; undefined for no more. */
export function setStatusLine(what: Footer | undefined): void {
  footer = what;
}

let format = (line: string): string => `udptunnel: ${line}`;

/** From now on `say` writes lines in this form. */
export function setFormatter(form: (line: string) => string): void {
  format = form;
}

const stderr = new LineWriter(
  (text) => writeAll(2, text),
  (lines) => `${format(`${lines} lines are missing here: stderr was not read in time`)}\n`,
);

/** Writes one line to stderr. */
export function log(line: string): void {
  writeLine(format(line));
}

/** Writes one line, in which text from outside cannot control the terminal. */
export function writeLine(line: string): void {
  if (stderr.full) return stderr.drop();
  footer?.clear();
  stderr.write(`${printable(line)}\n`);
  footer?.draw();
}

/** Writes text, in order with the lines. */
export function writeText(text: string): void {
  stderr.write(text);
}

/** Whether text is queued. The status is then not written: it would be out of date when it is read. */
export function writePending(): boolean {
  return stderr.busy;
}

/** How many lines were dropped. */
export function droppedLines(): number {
  return stderr.dropped;
}

/** Settles when all lines are written, at the latest after FLUSH_MS. Await it before the process ends. */
export function flushStderr(): Promise<void> {
  return stderr.flushed(FLUSH_MS);
}
