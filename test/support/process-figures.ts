/** The resources that a process uses, from /proc. */

import { readdirSync, readFileSync } from "node:fs";

/** Clock ticks per second (proc(5); 100 on every Linux). */
const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4096;

/** The number of open files of a process. */
export function openFiles(pid: number | "self" = "self"): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** The CPU time of a process, user and kernel (proc(5), /proc/pid/stat, fields 14 and 15). */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** The resident memory of a process (proc(5), /proc/pid/statm, field 2). */
export function residentBytes(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]) * PAGE_BYTES;
}
