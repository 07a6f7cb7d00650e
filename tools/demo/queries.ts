/** The demonstration's queries of the records API after its last request, and the checks of their results. */
import { setTimeout as wait } from "node:timers/promises";
import { styleText } from "node:util";
import type { ApiClient } from "../report/api-client.ts";
import { toText } from "../report/print.ts";
import { tableOf, VIEWS, type Table, type View } from "../report/views.ts";

export type DemoQuery = {
  /** The question behind it, for the terminal. */
  readonly title: string;
  readonly view: string;
  readonly parameters: Readonly<Record<string, string>>;
  /** @returns one sentence per difference from the expected result. */
  readonly check: (table: Table) => readonly string[];
};

/** The queue delivers in batches, after some seconds. */
const DELIVERED_WITHIN_MS = 60_000;
const POLL_MS = 250;

/** Resolves with true once the ledger has this many interceptions, each with its end; with false after the deadline. */
export async function delivered(api: ApiClient, interceptions: number): Promise<boolean> {
  const deadline = Date.now() + DELIVERED_WITHIN_MS;
  while (Date.now() < deadline) {
    const { results } = (await api.get("interceptions", { limit: "1000" })) as {
      readonly results: readonly { readonly outcome: string | null }[];
    };
    if (results.length >= interceptions && results.every(({ outcome }) => outcome !== null)) return true;
    await wait(POLL_MS);
  }
  return false;
}

/** Runs each query and prints its result. @returns the differences from the expected results. */
export async function runQueries(
  api: ApiClient,
  queries: readonly DemoQuery[],
  print: (text: string) => void,
): Promise<readonly string[]> {
  const differences: string[] = [];
  for (const { title, view: name, parameters, check } of queries) {
    const view = VIEWS[name] as View;
    const response = await api.get(view.path, parameters);
    const by = parameters["group_by"] ?? "";
    print(`\n${styleText("magenta", `? ${title}`)}\n${toText(view, response, by)}`);
    differences.push(...check(tableOf(view, response, by)).map((sentence) => `${title} ${sentence}`));
  }
  return differences;
}

/** Compares how often a column holds each value with the expected counts. */
export function countDifferences(
  table: Table,
  column: string,
  expected: Readonly<Record<string, number>>,
): readonly string[] {
  const index = table.columns.findIndex(({ name }) => name === column);
  return Object.entries(expected).flatMap(([value, times]) => {
    const count = table.rows.filter((row) => String(row[index]) === value).length;
    return count === times ? [] : [`${column} is ${value} ${count} times, expected ${times}.`];
  });
}
