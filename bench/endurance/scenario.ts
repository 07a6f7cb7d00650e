/** A scenario and the rows that it returns. */

/**
 * One figure of a run. `passed`: whether the figure meets its bound; null for a figure without a bound, such as every
 * figure that depends on the machine's speed.
 */
export type Row = {
  readonly what: string;
  readonly figure: string;
  readonly bound: string;
  readonly passed: boolean | null;
  /** The figure as a number, where a target of docs/performance.md depends on it. */
  readonly decides?: { readonly target: "load" | "heap"; readonly value: number };
};

export type Scenario = {
  readonly name: string;
  readonly title: string;
  /** `scale`: 1 is the complete run. A fraction reduces the streams and the duration by that factor. */
  readonly run: (scale: number) => Promise<readonly Row[]>;
};

/** A figure without a bound. `target` is printed only. */
export const report = (what: string, figure: string, target = ""): Row => ({
  what,
  figure,
  bound: target,
  passed: null,
});

export function mustBe(what: string, figure: number, expected: number): Row {
  return {
    what,
    figure: figure.toLocaleString("en"),
    bound: expected.toLocaleString("en"),
    passed: figure === expected,
  };
}

export function mustNotExceed(what: string, figure: number, most: number, unit: string): Row {
  const [shown, bound] = [figure, most].map((value) => `${value.toFixed(unit === "×" ? 2 : 1)} ${unit}`);
  return { what, figure: shown ?? "", bound: `≤ ${bound}`, passed: figure <= most };
}

export const scaled = (full: number, scale: number, least: number): number =>
  Math.max(least, Math.round(full * scale));
