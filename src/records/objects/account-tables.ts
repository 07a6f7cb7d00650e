/**
 * The tables of a budget object, in its own SQLite database. A call that has not ended has a row in `open` for each account,
 * and then one in `settled`, by which a second settlement is recognized. `reported` has what a call reported, for a
 * repetition of it. The sums of both are kept in `periods`, so that a
 * decision reads a row for each account, or for each slice of its window.
 */
const TABLES = [
  `CREATE TABLE IF NOT EXISTS periods (
    account TEXT NOT NULL, start INTEGER NOT NULL, resets_at INTEGER NOT NULL, keep_until INTEGER NOT NULL,
    spent INTEGER NOT NULL, reserved INTEGER NOT NULL, top_ups INTEGER NOT NULL,
    warned INTEGER NOT NULL, refused INTEGER NOT NULL,
    PRIMARY KEY (account, start)) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS open (
    id TEXT NOT NULL, account TEXT NOT NULL, start INTEGER NOT NULL, amount INTEGER NOT NULL, lease_until INTEGER NOT NULL,
    PRIMARY KEY (id, account)) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS settled (
    id TEXT NOT NULL, account TEXT NOT NULL, start INTEGER NOT NULL, amount INTEGER NOT NULL, is_estimate INTEGER NOT NULL,
    keep_until INTEGER NOT NULL,
    PRIMARY KEY (id, account)) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS reported (
    call TEXT NOT NULL PRIMARY KEY, news TEXT NOT NULL, keep_until INTEGER NOT NULL) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS overrides (
    account TEXT NOT NULL PRIMARY KEY, amount INTEGER NOT NULL) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS top_ups (
    id TEXT NOT NULL PRIMARY KEY, account TEXT NOT NULL, start INTEGER NOT NULL,
    amount INTEGER, request_id TEXT) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS later (
    one INTEGER NOT NULL PRIMARY KEY, call TEXT NOT NULL, subjects_until INTEGER, keep_until INTEGER NOT NULL)`,
];

/** The names of the tables. */
export const ACCOUNT_TABLES = [
  "periods",
  "open",
  "settled",
  "reported",
  "overrides",
  "top_ups",
  "later",
] as const;

/** The part of an object's SQLite database that the accounts use. Synchronous. */
export type AccountDatabase = {
  exec<Row extends Record<string, string | number | null>>(
    query: string,
    ...values: (string | number | null)[]
  ): { toArray(): Row[]; one(): Row };
  /** Commits what `work` writes, or nothing of it where it throws. @returns what `work` returns. */
  transaction<T>(work: () => T): T;
};

export function createTables(sql: AccountDatabase): void {
  for (const table of TABLES) sql.exec(table);
  // Objects from before repetitions were compared have neither.
  const [topUps] = sql
    .exec<{ sql: string }>("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = 'top_ups'")
    .toArray();
  if (topUps?.sql.includes("request_id")) return;
  sql.exec("ALTER TABLE top_ups ADD COLUMN amount INTEGER");
  sql.exec("ALTER TABLE top_ups ADD COLUMN request_id TEXT");
}

export type OpenRow = { account: string; start: number; amount: number };

/** The account's name in the `settled` row of a call that was released. No rule has an empty name. */
export const RELEASED = "";
