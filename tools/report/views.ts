/** The views of `npm run report`: the endpoint of each, and how its response becomes rows. */

export type Cell = string | number | null;
export type Table = {
  readonly title: string;
  readonly columns: readonly Column[];
  readonly rows: readonly Row[];
};
export type Row = readonly Cell[];
export type Column = {
  readonly name: string;
  /** Also drawn as a bar after the figures. */
  readonly bar?: true;
};

export type View = {
  /** The endpoint's path below the API's prefix. */
  readonly path: string;
  /** The command's options that the endpoint accepts. */
  readonly options: readonly string[];
  readonly table: (response: unknown, by: string) => Table;
};

type Item = Readonly<Record<string, unknown>>;

const cell = (value: unknown): Cell => {
  if (value === undefined || value === null) return null;
  if (typeof value === "number" || typeof value === "string") return value;
  if (typeof value === "boolean") return String(value);
  return Array.isArray(value) ? value.join(" ") : JSON.stringify(value);
};

/** The list in the field `key` as rows of the named fields. A dot in a name selects a field of an object. */
function rowsOf(response: unknown, key: string, fields: readonly string[]): readonly Row[] {
  const list = (response as Item | null)?.[key];
  if (!Array.isArray(list)) throw new Error(`The response has no ${key}: is the gateway of this version?`);
  return (list as readonly Item[]).map((item) =>
    fields.map((field) => {
      const [outer = "", inner] = field.split(".");
      const value = item[outer];
      return cell(inner === undefined ? value : (value as Item | null | undefined)?.[inner]);
    }),
  );
}

const columns = (names: readonly string[], bars: readonly string[] = []): readonly Column[] =>
  names.map((name) => (bars.includes(name) ? { name, bar: true } : { name }));

const TOKENS = ["input_tokens", "output_tokens", "cache_read_input_tokens", "cache_write_input_tokens"];
const USAGE = ["requests", ...TOKENS, "unknown_usage"];
const ATTRIBUTION = [
  "day",
  "attribution",
  "requests",
  "tokens",
  "share_of_requests",
  "share_of_tokens",
  "unknown_usage",
];
const SESSION = [
  "started_at",
  "id",
  "initiator.id",
  "client",
  "models",
  "threads",
  "token_usage_summary.input_tokens",
  "token_usage_summary.output_tokens",
];
const INTERCEPTION = [
  "started_at",
  "id",
  "initiator.id",
  "actor_id",
  "attribution",
  "client",
  "model",
  "outcome",
  "usage",
];
const OVERRIDE = ["created_at", "accepted", "actor_id", "owner_id", "reason", "attribution", "client"];

const listed =
  (key: string, title: string, fields: readonly string[]): View["table"] =>
  (response) => ({
    title,
    columns: columns(fields.map((field) => field.replace(/^token_usage_summary\.|\.id$/, ""))),
    rows: rowsOf(response, key, fields),
  });

const FILTERS = ["started_after", "initiator", "actor", "client", "model"];

export const VIEWS: Readonly<Record<string, View>> = {
  attribution: {
    path: "attribution",
    options: FILTERS,
    table: (response) => ({
      title: "Attribution of initiators, by day",
      columns: columns(ATTRIBUTION, ["share_of_requests"]),
      rows: rowsOf(response, "results", ATTRIBUTION),
    }),
  },
  usage: {
    path: "usage",
    options: [...FILTERS, "limit"],
    table: (response, by) => ({
      title: `Usage by ${by}`,
      columns: columns([by, ...USAGE], ["output_tokens"]),
      rows: rowsOf(response, "results", ["key", ...USAGE]),
    }),
  },
  overrides: {
    path: "overrides",
    options: ["started_after", "initiator", "actor", "limit"],
    table: listed("results", "Owner headers, newest first", OVERRIDE),
  },
  sessions: {
    path: "sessions",
    options: [...FILTERS, "limit"],
    table: listed("sessions", "Sessions, newest first", SESSION),
  },
  interceptions: {
    path: "interceptions",
    options: [...FILTERS, "limit"],
    table: listed("results", "Interceptions, newest first", INTERCEPTION),
  },
};
