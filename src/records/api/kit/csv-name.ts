/** The file name of a response as CSV: `spend-by-initiator-and-model_2026-11-01_2026-11-30.csv`. */

/** @param body the response as JSON would have it. Only words of the API and days are taken from it. */
export function csvName(path: string, body: Readonly<Record<string, unknown>>): string {
  const keys = [body["group_by"] ?? body["per"], body["then_by"]].filter(isWord);
  const what = [path.slice(1).replaceAll("/", "-"), keys.join("-and-")].filter((part) => part !== "");
  const days = [body["started_after"], body["started_before"]]
    .filter(isTime)
    .map((time) => time.slice(0, 10));
  return `${[what.join("-by-"), ...days].join("_").replaceAll(/[^\w-]+/g, "-")}.csv`;
}

const isWord = (value: unknown): value is string => typeof value === "string";
const isTime = (value: unknown): value is string =>
  typeof value === "string" && /^\d{4}-\d{2}-\d{2}T/.test(value);
