/** What a scenario is and what it hands on. */

/**
 * A figure of a run. `held`: whether what must hold does; null where the figure is only told, as everything is that
 * depends on the machine's speed.
 */
export type Row = {
  readonly what: string;
  readonly figure: string;
  readonly must: string;
  readonly held: boolean | null;
};

export type Scenario = {
  readonly name: string;
  readonly title: string;
  /** `scale`: 1 is the whole run; a part of it takes as small a part of streams and time. */
  readonly run: (scale: number) => Promise<readonly Row[]>;
};

export const told = (what: string, figure: string, must = ""): Row => ({ what, figure, must, held: null });

export function mustBe(what: string, figure: number, wanted: number): Row {
  return {
    what,
    figure: figure.toLocaleString("en"),
    must: wanted.toLocaleString("en"),
    held: figure === wanted,
  };
}

export function mustNotExceed(what: string, figure: number, most: number, unit: string): Row {
  const [shown, bound] = [figure, most].map((value) => `${value.toFixed(unit === "×" ? 2 : 1)} ${unit}`);
  return { what, figure: shown ?? "", must: `≤ ${bound}`, held: figure <= most };
}

export const scaled = (whole: number, scale: number, least: number): number =>
  Math.max(least, Math.round(whole * scale));
