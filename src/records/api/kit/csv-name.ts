/** The file name of a response as CSV: `spend-by-initiator-and-model_2026-11-01_2026-11-30.csv`. */

/** @param body the response as JSON would have it. Only words of the API and days are taken from it. */
export function csvName(path: string, body: Readonly<Record<string, unknown>>): string {
  const keys = [body["group_by"] ?? body["per"], body["then_by"]].filter(isWord);
  const what = [path.slice(1).replaceAll("/", "-"), keys.join("-and-")].filter((part) => part !== "");
  // A range that ends at midnight has nothing of the day that begins there.
  const days = [dayOf(body["started_after"], 0), dayOf(body["started_before"], 1)].filter(isWord);
  return `${[what.join("-by-"), ...days].join("_").replaceAll(/[^\w-]+/g, "-")}.csv`;
}

const isWord = (value: unknown): value is string => typeof value === "string";

function dayOf(time: unknown, lessMs: number): string | null {
  const ms = typeof time === "string" ? Date.parse(time) : Number.NaN;
  return Number.isNaN(ms) ? null : new Date(ms - lessMs).toISOString().slice(0, 10);
}
