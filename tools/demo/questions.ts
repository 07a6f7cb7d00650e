/** What the demonstration asks the API once everything has happened, and what the answers must be. */
import { setTimeout as wait } from "node:timers/promises";
import { styleText } from "node:util";
import type { ApiClient } from "../report/api-client.ts";
import { toText } from "../report/print.ts";
import { VIEWS, type Table, type View } from "../report/views.ts";

export type Question = {
  readonly text: string;
  readonly view: string;
  readonly query: Readonly<Record<string, string>>;
  /** One sentence for each thing that is not as it should be. */
  readonly check: (table: Table) => readonly string[];
};

/** The queue delivers in batches, after some seconds. */
const DELIVERED_WITHIN_MS = 60_000;
const ASK_EVERY_MS = 250;

/** Resolves with true as soon as the ledger has this many interceptions, each with its end. */
export async function delivered(api: ApiClient, interceptions: number): Promise<boolean> {
  const deadline = Date.now() + DELIVERED_WITHIN_MS;
  while (Date.now() < deadline) {
    const { results } = (await api.get("interceptions", { limit: "1000" })) as {
      readonly results: readonly { readonly outcome: string | null }[];
    };
    if (results.length >= interceptions && results.every(({ outcome }) => outcome !== null)) return true;
    await wait(ASK_EVERY_MS);
  }
  return false;
}

/** Prints each question with its answer; hands on what is wrong with the answers. */
export async function ask(
  api: ApiClient,
  questions: readonly Question[],
  print: (text: string) => void,
): Promise<readonly string[]> {
  const wrong: string[] = [];
  for (const { text, view: name, query, check } of questions) {
    const view = VIEWS[name] as View;
    const answer = await api.get(view.path, query);
    const by = query["group_by"] ?? "";
    print(`\n${styleText("magenta", `? ${text}`)}\n${toText(view, answer, by)}`);
    wrong.push(...check(view.table(answer, by)).map((sentence) => `${text} ${sentence}`));
  }
  return wrong;
}

/** How often a column holds a value, against how often it should. */
export function counts(
  table: Table,
  column: string,
  expected: Readonly<Record<string, number>>,
): readonly string[] {
  const at = table.columns.findIndex(({ name }) => name === column);
  return Object.entries(expected).flatMap(([value, times]) => {
    const found = table.rows.filter((row) => String(row[at]) === value).length;
    return found === times ? [] : [`${column} is ${value} ${found} times, expected ${times}.`];
  });
}
