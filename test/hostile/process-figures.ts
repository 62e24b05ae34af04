/** What a process uses, by Linux' /proc. */

import { readdirSync, readFileSync } from "node:fs";

/** Ticks of the CPU clock in a second (proc(5); 100 on every Linux). */
const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4096;

/** How many files this process, or another, has open. */
export function openFiles(pid: number | "self" = "self"): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** What a process has used of the CPU, in user and kernel (proc(5), /proc/pid/stat, fields 14 and 15). */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** What a process has in memory (proc(5), /proc/pid/statm, field 2). */
export function residentBytes(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]) * PAGE_BYTES;
}
