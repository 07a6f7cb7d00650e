/** The resident memory of a process, as Linux reports it in `/proc`. */
import { readFileSync } from "node:fs";

export const residentBytes = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;

/** Samples the memory until `stop`, which returns the largest sample in bytes. */
export function samplePeak(pid: number, everyMs = 20): { readonly stop: () => number } {
  let peak = residentBytes(pid);
  const sample = (): void => {
    peak = Math.max(peak, residentBytes(pid));
  };
  const sampler = setInterval(sample, everyMs);
  return {
    stop: () => {
      clearInterval(sampler);
      sample();
      return peak;
    },
  };
}
