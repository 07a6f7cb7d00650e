/**
 * Measures the requests that the console's pages make when they load, over a million interceptions of a month.
 *
 *     node bench/ledger/console.ts                       1,000,000 interceptions, ten minutes
 *     node bench/ledger/console.ts --rows 20000
 *     node bench/ledger/console.ts --file /tmp/ledger    keeps the ledger, and uses it the next time
 *     node bench/ledger/console.ts --page Sessions       the pages whose names begin like this
 *
 * Each time is the median of five runs of the endpoint's own code: its queries, in Node's own SQLite over a file, and the
 * response's text. The journal holds as much as it does before it is folded. Everything runs on one thread without a
 * network, so on an idle machine the time is the CPU time.
 */
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openSqliteD1 } from "../../test/support/sqlite-d1.ts";
import { exitOnClosedPipe } from "../../tools/closed-pipe.ts";
import { median } from "../numbers.ts";
import { consoleRequests, type PageRequest } from "./console-requests.ts";
import { fillLists, fillUnfolded } from "./console-rows.ts";
import { generateLedger } from "./generate.ts";
import { respondFrom } from "./local-ledger.ts";

exitOnClosedPipe();

const REPEATS = 5;
/** The target for each request, in milliseconds of CPU time: other programs on the machine do not change it. */
const TARGET_MS = 200;
const { values: flags } = parseArgs({
  options: {
    rows: { type: "string", default: "1000000" },
    file: { type: "string" },
    page: { type: "string", default: "" },
  },
});
const ROWS = Number(flags.rows);
const FILE = flags.file ?? join(tmpdir(), `console-bench-${process.pid}.sqlite`);

type Ledger = ReturnType<typeof openSqliteD1>;

/** A file that has interceptions already stays as it is. */
async function openLedger(): Promise<Ledger> {
  const ledger = openSqliteD1(FILE);
  const { database, sqlite } = ledger;
  if (sqlite.prepare("SELECT 1 FROM interceptions LIMIT 1").get() !== undefined) return ledger;
  sqlite.exec("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF");
  await generateLedger(database, ROWS, (stored) => {
    if (stored % 100_000 === 0) console.log(`generated ${stored.toLocaleString("en")}`);
  });
  fillLists(sqlite);
  fillUnfolded(sqlite);
  return ledger;
}

type Measured = { readonly ms: number; readonly cpuMs: number; readonly length: number };

/** The medians of five runs, in milliseconds, and the number of characters of the response. */
async function measure({ database }: Ledger, { path, search, id }: PageRequest): Promise<Measured> {
  const times: number[] = [];
  const cpuTimes: number[] = [];
  let length = 0;
  while (times.length < REPEATS) {
    const [began, cpuBefore] = [performance.now(), process.cpuUsage()];
    length = (await respondFrom(database, path, search, id ?? "")).length;
    const { user, system } = process.cpuUsage(cpuBefore);
    times.push(performance.now() - began);
    cpuTimes.push((user + system) / 1000);
  }
  return { ms: median(times), cpuMs: median(cpuTimes), length };
}

const shown = (ms: number): string => {
  const text = ms.toFixed(ms < 10 ? 1 : 0);
  return ms > TARGET_MS ? `**${text}**` : text;
};

const ledger = await openLedger();
try {
  const all = ledger.sqlite.prepare("SELECT COUNT(*) AS count FROM interceptions").get()?.["count"];
  console.log(`${Number(all).toLocaleString("en")} interceptions\n`);
  console.log("| page | request | ms | CPU ms | KB |\n| --- | --- | --: | --: | --: |");
  const requests = consoleRequests(ledger.sqlite).filter(({ page }) => page.startsWith(flags.page));
  let missed = 0;
  for (const request of requests) {
    const { ms, cpuMs, length } = await measure(ledger, request);
    if (cpuMs > TARGET_MS) missed += 1;
    const query = request.search === "" ? request.path : `${request.path}?${request.search}`;
    console.log(
      `| ${request.page} | \`${query}\` | ${shown(ms)} | ${shown(cpuMs)} | ${(length / 1000).toFixed(0)} |`,
    );
  }
  console.log(`\n${missed} of ${requests.length} take more than ${TARGET_MS} ms of CPU time.`);
} finally {
  ledger.sqlite.close();
  if (flags.file === undefined) rmSync(FILE, { force: true });
}
