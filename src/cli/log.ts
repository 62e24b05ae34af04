/** The only way to stderr. It never blocks: while stderr is not read, lines are dropped and counted. */

import { printable } from "../options/message-text.ts";
import { LineWriter } from "./line-writer.ts";
import { writeAll } from "./write-all.ts";

/** At its end the program waits at most this long until stderr is read. */
const FLUSH_MS = 1000;

/** The status on the last lines of the terminal. */
export interface StatusLine {
  clear(): void;
  draw(): void;
}

let statusLine: StatusLine | undefined;

/** Keeps the status below all lines that are written from now on; undefined removes it. */
export function setStatusLine(status: StatusLine | undefined): void {
  statusLine = status;
}

/** The form of a line that a person reads. */
export function asText(line: string): string {
  return `udptunnel: ${line}`;
}

let format = asText;

/** Sets the form of the lines that `log` writes. Default: {@link asText}. */
export function setFormatter(formatter: (line: string) => string): void {
  format = formatter;
}

const stderr = new LineWriter(
  (text) => writeAll(2, text),
  (lines) => `${format(`${lines} lines are missing here: stderr was not read in time`)}\n`,
);

/** Writes one formatted line to stderr. */
export function log(line: string): void {
  writeLine(format(line));
}

/** Writes one line as it is, except that control characters are escaped: no text can control the terminal. */
export function writeLine(line: string): void {
  if (stderr.full) return stderr.drop();
  statusLine?.clear();
  stderr.write(`${printable(line)}\n`);
  statusLine?.draw();
}

/** Writes text in order with the lines, and escapes nothing. */
export function writeText(text: string): void {
  stderr.write(text);
}

/**
 * Whether a write is in progress. The status is then not written: it would be out of date when it is read.
 */
export function writePending(): boolean {
  return stderr.writing;
}

/** The number of dropped lines. */
export function droppedLines(): number {
  return stderr.dropped;
}

/** Settles when all lines are written, at the latest after FLUSH_MS. Await it before the process ends. */
export function flushStderr(): Promise<void> {
  return stderr.flushed(FLUSH_MS);
}
