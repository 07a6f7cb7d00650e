/** The figures of a run that decide targets in docs/performance.md. */
import type { Measured, Run } from "../figures.ts";
import type { Result } from "./page.ts";

/** The largest value of each target; a target that was not measured is missing. */
export function decidingFigures(results: readonly Result[], run: Run): Measured {
  const values = (target: "load" | "heap"): readonly number[] =>
    results.flatMap(({ rows }) =>
      rows.flatMap(({ decides }) => (decides?.target === target ? [decides.value] : [])),
    );
  const [delays, heaps] = [values("load"), values("heap")];
  return {
    ...(delays.length > 0 ? { load: { run, addedP99Ms: Math.max(...delays) } } : {}),
    ...(heaps.length > 0 ? { heap: { run, kilobytes: Math.max(...heaps) } } : {}),
  };
}
