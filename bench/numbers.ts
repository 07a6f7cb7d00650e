export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

/** The percentile by nearest rank; NaN for an empty list. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

export type Quartiles = { readonly low: number; readonly middle: number; readonly high: number };

export function quartiles(values: readonly number[]): Quartiles {
  return { low: percentile(values, 0.25), middle: median(values), high: percentile(values, 0.75) };
}
