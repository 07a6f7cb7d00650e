/**
 * Measures the API's queries over a million interceptions in detail, with the totals that belong to them, and the same sums
 * from the interceptions themselves, as they were computed before there were totals. SQL generates the rows.
 *
 *     node bench/ledger/million.ts                  1,000,000 interceptions
 *     node bench/ledger/million.ts --rows 20000
 *
 * Times are SQLite's own, as D1 reports them: the median of five runs of wrangler's local D1, without the network.
 */
import { parseArgs } from "node:util";
import { contribution, MEASURES } from "../../src/records/rollups/contribution-sql.ts";
import { firstUuidAt } from "../../src/shared/uuid.ts";
import { exitOnClosedPipe } from "../../tools/closed-pipe.ts";
import { median } from "../numbers.ts";
import { generateLedger } from "./generate.ts";
import { runApiQuery, withLocalLedger } from "./local-ledger.ts";
import { ADA, NOW, SPAN_MS } from "./traffic.ts";

exitOnClosedPipe();

const DAY_MS = 86_400_000;
const REPEATS = 5;
/** A query slower than this is measured once. */
const SLOW_MS = 5000;
const { values: flags } = parseArgs({ options: { rows: { type: "string", default: "1000000" } } });
const ROWS = Number(flags.rows);

/** By the columns of the groups, for the sums over the interceptions. */
const SUMS: readonly (readonly [search: string, columns: string])[] = [
  ["group_by=initiator", "i.initiator_id, i.initiator_source, i.attribution"],
  ["group_by=actor", "i.actor_id, i.identity_source, i.attribution"],
  ["group_by=client", "i.client, i.attribution"],
  ["group_by=provider", "i.provider, i.attribution"],
  ["group_by=model", "i.model, i.attribution"],
  ["group_by=day", "SUBSTR(i.started_at, 1, 10), i.attribution"],
];

const OTHERS: readonly (readonly [path: string, search: string])[] = [
  ["/attribution", ""],
  ["/usage", "group_by=initiator&outcome=completed"],
  ["/interceptions", ""],
  ["/interceptions", `initiator=${ADA}`],
  ["/interceptions", "client=Codex&outcome=cancelled"],
  ["/sessions", ""],
  ["/sessions", `initiator=${ADA}`],
];

const DETAIL_SUMS = MEASURES.map((name) => `TOTAL(${contribution(name, "i")}) AS ${name}`).join(", ");

type Measured = { readonly ms: number; readonly read: number; readonly requests: number | null };

async function repeat(run: () => Promise<Measured>): Promise<Measured> {
  const first = await run();
  const times = [first.ms];
  while (times.length < REPEATS && (times.at(-1) ?? 0) < SLOW_MS) times.push((await run()).ms);
  return { ...first, ms: median(times) };
}

/** The sum of the groups' requests, where the response has any. */
function requestsOf(body: unknown): number | null {
  const { results, results_are_capped: isCapped } = body as {
    readonly results?: readonly { readonly requests?: number }[];
    readonly results_are_capped?: boolean;
  };
  if (isCapped !== false || results === undefined) return null;
  return results.reduce((sum, { requests = 0 }) => sum + requests, 0);
}

const fromApi = (database: D1Database, path: string, search: string): Promise<Measured> =>
  repeat(async () => {
    const { ms, read, body } = await runApiQuery(database, path, search);
    return { ms, read, requests: requestsOf(body) };
  });

/**
 * Without the totals. Day by day, and the times of the days are added: one statement that groups a million rows takes more
 * memory than the local D1 has, which ends then.
 */
const fromDetail = (database: D1Database, columns: string): Promise<Measured> =>
  repeat(async () => {
    let sum: Measured = { ms: 0, read: 0, requests: 0 };
    for (let from = NOW - SPAN_MS; from < NOW; from += DAY_MS) {
      const { results, meta } = await database
        .prepare(
          `SELECT ${columns}, ${DETAIL_SUMS} FROM interceptions AS i
          WHERE i.id >= ?1 AND i.id < ?2 AND i.own_key_rejected IS NOT 1 GROUP BY ${columns}`,
        )
        .bind(firstUuidAt(from), firstUuidAt(from + DAY_MS))
        .all<{ readonly requests: number }>();
      const requests = results.reduce((all, group) => all + group.requests, sum.requests ?? 0);
      sum = { ms: sum.ms + meta.duration, read: sum.read + meta.rows_read, requests };
    }
    return sum;
  });

const cells = ({ ms, read }: Measured): string =>
  `${ms.toFixed(ms < 10 ? 1 : 0)} | ${read.toLocaleString("en")}`;

await withLocalLedger(async (database) => {
  const began = performance.now();
  await generateLedger(database, ROWS, (stored) => {
    if (stored % 100_000 === 0) console.log(`generated ${stored.toLocaleString("en")}`);
  });
  const { meta } = await database.prepare("SELECT 1").run();
  console.log(
    `${ROWS.toLocaleString("en")} interceptions in ${((performance.now() - began) / 1000).toFixed(0)} s, ${(meta.size_after / 1e6).toFixed(0)} MB\n`,
  );
  console.log("| query | ms | rows read |\n| --- | --: | --: |");
  const now = new Map<string, Measured>();
  for (const [path, search] of [...SUMS.map(([sum]) => ["/usage", sum] as const), ...OTHERS]) {
    const measured = await fromApi(database, path, search);
    now.set(search, measured);
    console.log(`| \`${search === "" ? path : `${path}?${search}`}\` | ${cells(measured)} |`);
  }
  console.log("\nThe same sums from the interceptions:\n\n| query | ms | rows read |\n| --- | --: | --: |");
  for (const [search, columns] of SUMS) {
    const before = await fromDetail(database, columns);
    const requests = now.get(search)?.requests ?? before.requests;
    if (requests !== before.requests)
      throw new Error(`${search}: ${requests} requests in place of ${before.requests}`);
    console.log(`| \`/usage?${search}\` | ${cells(before)} |`);
  }
});
