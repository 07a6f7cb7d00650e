/** What can be reported: where it is asked, and how an answer becomes rows. */

export type Cell = string | number | null;
export type Table = {
  readonly title: string;
  readonly columns: readonly Column[];
  readonly rows: readonly Row[];
};
export type Row = readonly Cell[];
export type Column = {
  readonly name: string;
  /** Drawn as a bar beside the figures. */
  readonly bar?: true;
};

export type View = {
  /** Below the API's prefix. */
  readonly path: string;
  /** What of the command's options the endpoint takes. */
  readonly takes: readonly string[];
  readonly table: (answer: unknown, by: string) => Table;
};

type Item = Readonly<Record<string, unknown>>;

const cell = (value: unknown): Cell => {
  if (value === undefined || value === null) return null;
  if (typeof value === "number" || typeof value === "string") return value;
  if (typeof value === "boolean") return String(value);
  return Array.isArray(value) ? value.join(" ") : JSON.stringify(value);
};

/** The list under `key` as rows of the named fields; a name with a dot goes one deeper. */
function rowsOf(answer: unknown, key: string, fields: readonly string[]): readonly Row[] {
  const list = (answer as Item | null)?.[key];
  if (!Array.isArray(list))
    throw new Error(`The answer has no ${key}: is this an interceptor of this version?`);
  return (list as readonly Item[]).map((item) =>
    fields.map((field) => {
      const [first = "", second] = field.split(".");
      const value = item[first];
      return cell(second === undefined ? value : (value as Item | null | undefined)?.[second]);
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
  (answer) => ({
    title,
    columns: columns(fields.map((field) => field.replace(/^token_usage_summary\.|\.id$/, ""))),
    rows: rowsOf(answer, key, fields),
  });

const TRAITS = ["started_after", "initiator", "actor", "client", "model"];

export const VIEWS: Readonly<Record<string, View>> = {
  attribution: {
    path: "attribution",
    takes: TRAITS,
    table: (answer) => ({
      title: "How far initiators can be believed, by day",
      columns: columns(ATTRIBUTION, ["share_of_requests"]),
      rows: rowsOf(answer, "results", ATTRIBUTION),
    }),
  },
  usage: {
    path: "usage",
    takes: [...TRAITS, "limit"],
    table: (answer, by) => ({
      title: `Usage by ${by}`,
      columns: columns([by, ...USAGE], ["output_tokens"]),
      rows: rowsOf(answer, "results", ["key", ...USAGE]),
    }),
  },
  overrides: {
    path: "overrides",
    takes: ["started_after", "initiator", "actor", "limit"],
    table: listed("results", "Who asserted whom", OVERRIDE),
  },
  sessions: {
    path: "sessions",
    takes: [...TRAITS, "limit"],
    table: listed("sessions", "Sessions, newest first", SESSION),
  },
  interceptions: {
    path: "interceptions",
    takes: [...TRAITS, "limit"],
    table: listed("results", "Interceptions, newest first", INTERCEPTION),
  },
};
