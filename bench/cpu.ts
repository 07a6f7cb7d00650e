/** A process's processor time and memory, as the kernel counts them. Linux only. */
import { readFileSync, readdirSync } from "node:fs";

/** Processor time of all threads so far, in microseconds. The kernel's resolution is a nanosecond. */
export function cpuMicros(pid: number): number {
  const tasks = readdirSync(`/proc/${pid}/task`);
  let nanos = 0;
  for (const task of tasks) {
    const [running] = readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ");
    nanos += Number(running);
  }
  return nanos / 1_000;
}

/** Resident memory in MiB. */
export function residentMiB(pid: number): number {
  const kib = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kib) / 1_024;
}
