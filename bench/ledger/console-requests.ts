/** The requests to the records Worker that each page of the console makes when it loads, in its usual range of 30 days. */
import type { DatabaseSync } from "node:sqlite";
import { ADA, NOW } from "./traffic.ts";

export type PageRequest = {
  readonly page: string;
  readonly path: string;
  readonly search: string;
  /** In place of the path's `{session_id}`. */
  readonly id?: string;
};

const DAY_MS = 86_400_000;
/** The start of the day that begins a range of so many days, as console/app/range-of.ts has it. */
const since = (days: number): string =>
  new Date(Math.floor(NOW / DAY_MS) * DAY_MS - (days - 1) * DAY_MS).toISOString();

const MONTH = `started_after=${since(30)}`;
const TODAY = `started_after=${since(1)}`;
const QUARTER = `started_after=${since(90)}`;

const overview = (page: string, range: string, unit: "day" | "hour"): readonly PageRequest[] => [
  { page, path: "/usage", search: `${range}&group_by=${unit}&order=key&limit=1000` },
  { page, path: "/attribution", search: range },
  { page, path: "/providers", search: `${range}&group_by=${unit}&limit=1000` },
  { page, path: "/refusals/counts", search: `${range}&per=${unit}&limit=1000` },
];

const people = (page: string, range: string, as: "initiator" | "actor"): readonly PageRequest[] => [
  { page, path: "/usage", search: `${range}&group_by=${as}&limit=500` },
  { page, path: "/spend", search: `${range}&group_by=${as}&then_by=day&limit=1000` },
];

const PERSON = `initiator=${ADA}&initiator_source=coder`;
const person: readonly PageRequest[] = [
  { page: "One person", path: "/usage", search: `${PERSON}&${MONTH}&group_by=initiator&limit=10` },
  { page: "One person", path: "/usage", search: `${PERSON}&${MONTH}&group_by=day&order=key&limit=1000` },
  { page: "One person", path: "/usage", search: `${PERSON}&${MONTH}&group_by=model&limit=50` },
  { page: "One person", path: "/usage", search: `${PERSON}&${MONTH}&group_by=client&limit=50` },
];

const list = (page: string, path: string, search: string): PageRequest => ({ page, path, search });

const FIXED: readonly PageRequest[] = [
  ...overview("Overview", MONTH, "day"),
  ...overview("Overview, 90 days", QUARTER, "day"),
  ...overview("Overview, today", TODAY, "hour"),
  list("Attention", "/anomalies", `seen_after=${since(30)}&limit=200`),
  list("Attention", "/unauthenticated-events", `${MONTH}&limit=1`),
  ...people("People", MONTH, "initiator"),
  ...people("People, actors", MONTH, "actor"),
  ...person,
  list("Sessions", "/sessions", `${MONTH}&limit=50`),
  list("Sessions, one person's", "/sessions", `${MONTH}&initiator=${ADA}&limit=50`),
  list("Live", "/interceptions", "limit=40"),
  list("Overrides", "/overrides", `${MONTH}&limit=50`),
  list("Overrides", "/overrides", `${MONTH}&accepted=false&limit=50`),
  list("Providers", "/providers", `${MONTH}&group_by=provider&limit=200`),
  list("Providers", "/providers", `${MONTH}&group_by=day&limit=1000`),
  list("Providers", "/providers", `${MONTH}&group_by=provider_model&limit=200`),
  list("Providers, 90 days", "/providers", `${QUARTER}&group_by=provider_model&limit=200`),
  list("Refusals", "/refusals", `${MONTH}&limit=50`),
  list("Passthroughs", "/passthroughs", `${MONTH}&limit=50`),
  list("Anomalies", "/anomalies", `seen_after=${since(30)}&limit=50`),
  list("Accesses", "/accesses", `${MONTH}&limit=50`),
];

/** With those of one session and one interception, which are in the middle of the month. */
export function consoleRequests(sqlite: DatabaseSync): readonly PageRequest[] {
  const row = sqlite
    .prepare(
      `SELECT session_id, initiator_id, actor_id, attribution, id FROM interceptions
      WHERE session_id <> id AND started_at > ? ORDER BY id LIMIT 1`,
    )
    .get(since(15));
  if (!row) throw new Error("the ledger has no session");
  const value = (name: string): string => encodeURIComponent(String(row[name]));
  const id = sqlite
    .prepare("SELECT MIN(id) AS first FROM interceptions WHERE initiator_id = ? AND session_id = ?")
    .get(row["initiator_id"] ?? "", row["session_id"] ?? "")?.["first"];
  const session = { page: "One session", id: String(id) };
  return [
    ...FIXED,
    { ...session, path: "/sessions/{session_id}", search: "limit=25" },
    { ...session, path: "/sessions/{session_id}/agents", search: "limit=200" },
    {
      ...session,
      path: "/interceptions",
      search: `session_id=${value("session_id")}&initiator=${value("initiator_id")}&actor=${value("actor_id")}&attribution=${value("attribution")}&limit=200`,
    },
    list("One request", "/interceptions", `after_id=${value("id")}&limit=1`),
  ];
}
