/** The views of `npm run report`: the endpoint of each, and how its response becomes rows. */
import { dollars as dollarText } from "../../src/records/api/kit/money.ts";

export type Cell = string | number | null;
export type Row = readonly Cell[];
export type Table = {
  readonly title: string;
  readonly columns: readonly Column[];
  readonly rows: readonly Row[];
};
export type Item = Readonly<Record<string, unknown>>;
export type Column = {
  readonly name: string;
  readonly read: (item: Item) => Cell;
  /** Also drawn as a bar after the figures. */
  readonly bar?: true;
  /** Omitted from the terminal's table where no row has a value. */
  readonly optional?: true;
  /** Omitted from the terminal's table, which is wide enough without it. */
  readonly csvOnly?: true;
};

export type View = {
  /** The endpoint's path below the API's prefix. `{session_id}` stands for the option `--session`. */
  readonly path: string;
  /** The command's options that the endpoint accepts. */
  readonly options: readonly string[];
  /** The response's field with the list. */
  readonly list: "results" | "sessions" | "agents";
  readonly title: (by: string) => string;
  readonly columns: (by: string) => readonly Column[];
  /** The query's further parameters. */
  readonly query?: (by: string) => Readonly<Record<string, string>>;
  /** Those for reading every page: an order in which no row is skipped. */
  readonly pages?: Readonly<Record<string, string>>;
};

/** `session`: the option `--session`, which exactly the views of one session need. */
export const pathOf = ({ path }: View, session: string | null): string =>
  path.replace("{session_id}", () => encodeURIComponent(session ?? ""));

export const isOfSession = ({ path }: View): boolean => path.includes("{session_id}");

/** The response's list. Throws where it has none. */
export function itemsOf(view: View, response: unknown): readonly Item[] {
  const list = (response as Item | null)?.[view.list];
  if (!Array.isArray(list))
    throw new Error(`The response has no ${view.list}: is the gateway of this version?`);
  return list as readonly Item[];
}

export const rowsOf = (columns: readonly Column[], items: readonly Item[]): readonly Row[] =>
  items.map((item) => columns.map(({ read }) => read(item)));

/** The table for a terminal. */
export function tableOf(view: View, response: unknown, by: string): Table {
  const items = itemsOf(view, response);
  const columns = view
    .columns(by)
    .filter(
      ({ csvOnly, optional, read }) => !csvOnly && !(optional && items.every((item) => read(item) === null)),
    );
  return { title: view.title(by), columns, rows: rowsOf(columns, items) };
}

function toCell(value: unknown): Cell {
  if (value === undefined || value === null) return null;
  if (typeof value === "number" || typeof value === "string") return value;
  if (typeof value === "boolean") return String(value);
  return Array.isArray(value) ? value.join(" ") : JSON.stringify(value);
}

/** The value of a field. A dot selects a field of an object. */
function valueAt(item: Item, field: string): unknown {
  return field.split(".").reduce<unknown>((value, name) => (value as Item | null | undefined)?.[name], item);
}

const field = (name: string, path = name): Column => ({ name, read: (item) => toCell(valueAt(item, path)) });
const fields = (...names: readonly string[]): readonly Column[] => names.map((name) => field(name));
const bar = (column: Column): Column => ({ ...column, bar: true });
const optional = (column: Column): Column => ({ ...column, optional: true });
const csvOnly = (...names: readonly string[]): readonly Column[] =>
  names.map((name) => ({ ...field(name), csvOnly: true }));

/** A list, marked where the API has cut it. */
const cutList = (name: string): Column => ({
  name,
  read: (item) => {
    const isCut = Array.isArray(item["truncated_fields"]) && item["truncated_fields"].includes(name);
    return `${toCell(item[name]) ?? ""}${isCut ? " …" : ""}`;
  },
});

/** The sum of an interception's known counts; null where none is known, never 0. */
const tokens = (name: string): Column => ({
  name,
  read: ({ token_usages: usages }) => {
    const known = (Array.isArray(usages) ? (usages as readonly Item[]) : [])
      .map((usage) => usage[name])
      .filter((count) => typeof count === "number");
    return known.length === 0 ? null : known.reduce((sum, count) => sum + count, 0);
  },
});

/** Micro-dollars as dollars. */
const dollars = (name: string, path: string): Column => ({
  name,
  read: (item) => {
    const micros = valueAt(item, path);
    return typeof micros === "number" ? micros / 1e6 : null;
  },
});

/** An amount of a budget in the units that people read. */
const amount =
  (name: string) =>
  (item: Item): Cell => {
    const value = item[name];
    if (typeof value !== "number") return null;
    return item["measure"] === "dollars" ? `$${dollarText(value)}` : value;
  };

function percentUsed({ spent, limit }: Item): Cell {
  if (typeof spent !== "number" || typeof limit !== "number" || limit === 0) return null;
  return Math.round((1000 * spent) / limit) / 10;
}

const TOKENS = ["input_tokens", "output_tokens", "cache_read_input_tokens", "cache_write_input_tokens"];
const INITIATOR_NAME = optional(field("initiator_name", "initiator.name"));
const named = (column: Column): Column => ({ ...column, read: (item) => column.read(item) || null });

/** A sum is worth no more than its weakest part: its attribution, and whether there are others. */
const EVIDENCE = fields("attribution", "mixed");

const SESSION = [
  ...fields("started_at", "id"),
  field("initiator", "initiator.id"),
  named(INITIATOR_NAME),
  ...EVIDENCE,
  ...fields("client"),
  cutList("models"),
  ...fields("threads"),
  field("agents", "agent_count"),
  ...["input_tokens", "output_tokens"].map((name) => field(name, `token_usage_summary.${name}`)),
  ...TOKENS.slice(2).map((name) => ({
    ...field(name, `token_usage_summary.${name}`),
    csvOnly: true as const,
  })),
  ...csvOnly("ended_at", "last_active_at", "interceptions", "usage_complete"),
  ...["providers", "actor_ids"].map((name) => ({ ...cutList(name), csvOnly: true as const })),
  ...csvOnly("attributions", "initiator_source", "identity_source"),
];

const INTERCEPTION = [
  ...fields("started_at", "id"),
  field("initiator", "initiator.id"),
  named(INITIATOR_NAME),
  ...fields("actor_id"),
  optional(field("actor_name", "metadata.actor_name")),
  ...fields("attribution", "client", "model", "outcome", "usage"),
  tokens("input_tokens"),
  tokens("output_tokens"),
  ...TOKENS.slice(2).map((name) => ({ ...tokens(name), csvOnly: true as const })),
  ...fields("duration_ms"),
  ...csvOnly("first_byte_ms", "ended_at", "status", "finish_reason", "error", "provider", "provider_type"),
  ...csvOnly("route", "response_model", "streaming", "response_bytes", "tool_call_count", "session_id"),
  ...csvOnly("chat_id", "workspace_id", "actor_kind", "identity_source", "credential_kind", "api_key_id"),
  ...csvOnly("initiator_source"),
];

const OVERRIDE = [
  ...fields("created_at", "accepted", "actor_id"),
  optional(field("actor_name")),
  ...fields("owner_id"),
  optional(field("owner_name", "owner_username")),
  ...fields("reason", "attribution", "client"),
  ...csvOnly("provider", "rule", "signature", "directory", "chat_id", "workspace_id", "interception_id"),
];

const AGENT = [
  ...fields("started_at", "agent_id", "parent_agent_id"),
  ...fields("interceptions", "prompts", "request_classes"),
  ...EVIDENCE,
  ...["input_tokens", "output_tokens"].map((name) => field(name, `token_usage_summary.${name}`)),
  ...TOKENS.slice(2).map((name) => ({
    ...field(name, `token_usage_summary.${name}`),
    csvOnly: true as const,
  })),
  ...csvOnly("ended_at", "last_active_at", "first_interception_id", "spawned_by_interception_id"),
  ...csvOnly("stated_parent_agent_id", "usage_complete"),
];

const FILTERS = ["started_after", "started_before", "initiator", "actor", "client", "model"];

export const VIEWS: Readonly<Record<string, View>> = {
  attribution: {
    path: "attribution",
    options: FILTERS,
    list: "results",
    title: () => "Attribution of initiators, by day",
    columns: () => [
      ...fields("day", "attribution", "requests", "tokens"),
      bar(field("share_of_requests")),
      ...fields("share_of_tokens", "unknown_usage"),
    ],
  },
  usage: {
    path: "usage",
    options: [...FILTERS, "limit"],
    list: "results",
    title: (by) => `Usage by ${by}`,
    columns: (by) => [
      field(by, "key"),
      ...(NAMED.has(by) ? [optional(field(`${by}_name`, "name"))] : []),
      ...fields("requests", "input_tokens"),
      bar(field("output_tokens")),
      ...fields("cache_read_input_tokens", "cache_write_input_tokens", "unknown_usage"),
      ...(NAMED.has(by) ? [optional(field(`${by}_source`, "source"))] : []),
      ...EVIDENCE,
    ],
    query: (by) => ({ group_by: by }),
    pages: { order: "key" },
  },
  spend: {
    path: "spend",
    options: [...FILTERS, "then_by", "limit"],
    list: "results",
    title: (by) => `What calls cost, by ${by}, the dearest first`,
    columns: (by) => [
      field(by, "key"),
      ...(NAMED.has(by) ? [optional(field(`${by}_name`, "name"))] : []),
      optional(field("and", "second.key")),
      optional(field("and_name", "second.name")),
      bar(dollars("cost_usd", "cost_micros")),
      ...fields("unpriced", "requests", "input_tokens", "output_tokens"),
      ...csvOnly("cost_micros", "cache_read_input_tokens", "cache_write_input_tokens"),
      ...(NAMED.has(by) ? [optional(field(`${by}_source`, "source"))] : []),
      ...EVIDENCE,
    ],
    query: (by) => ({ group_by: by }),
  },
  budgets: {
    path: "budgets",
    options: [],
    list: "results",
    title: () => "Budgets, as they are now",
    columns: () => [
      ...fields("budget", "per"),
      field("subject", "subject_id"),
      optional(field("name", "subject_name")),
      ...fields("measure"),
      bar({ name: "used_percent", read: percentUsed }),
      ...(["spent", "reserved", "limit"] as const).map((name) => ({ name, read: amount(name) })),
      ...fields("resets_at"),
      ...csvOnly("period", "hard", "mode", "subject_kind", "subject_source"),
    ],
    query: () => ({ limit: "100" }),
  },
  overrides: {
    path: "overrides",
    options: ["started_after", "started_before", "initiator", "actor", "limit"],
    list: "results",
    title: () => "Owner headers, newest first",
    columns: () => OVERRIDE,
  },
  sessions: {
    path: "sessions",
    options: [...FILTERS, "limit"],
    list: "sessions",
    title: () => "Sessions, newest first",
    columns: () => SESSION,
  },
  agents: {
    path: "sessions/{session_id}/agents",
    options: ["initiator", "limit"],
    list: "agents",
    title: () => "Agents of the session, in the order of their start",
    columns: () => AGENT,
  },
  interceptions: {
    path: "interceptions",
    options: [...FILTERS, "limit"],
    list: "results",
    title: () => "Interceptions, newest first",
    columns: () => INTERCEPTION,
  },
};

/** The keys that have names. */
const NAMED: ReadonlySet<string> = new Set(["initiator", "actor"]);
