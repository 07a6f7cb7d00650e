/**
 * Faults that make a valid configuration invalid, each with the path that a config issue must name. A case never combines
 * two faults of one path, because one could hide the other.
 */
import { chance, pick, type Random } from "../random.ts";
import { CANARY, type Settings } from "./valid-settings.ts";

export type Fault = {
  /** The start of the config issue. */
  readonly path: string;
  readonly apply: (settings: Settings, random: Random) => void;
  /** A fault at this path, or around it, stops the reader before it reaches `path`. */
  readonly through: string;
};

type Table = Record<string, unknown>;

/** Invalid values by the kind of value that the key requires. Several contain a canary. */
const NO_TEXT: readonly unknown[] = [7, true, [CANARY], { [`x${CANARY}`]: 1 }, null, ""];
const NO_COUNT: readonly unknown[] = [-1, 1.5, 1e300, Number.NaN, CANARY, "12", [CANARY], {}, null, true];
const NO_FLAG: readonly unknown[] = [0, 1, "true", CANARY, [], {}, null];
/** A flag that is a variable may also be the text "true" or "false". */
const NO_FLAG_OR_TEXT: readonly unknown[] = [0, 1, "yes", CANARY, [], {}, null];
const NO_DAYS: readonly unknown[] = [-1, 1.5, CANARY, "x", [], {}, null, true, 1e9, ""];
const NO_WORD: readonly unknown[] = [CANARY, 7, "", [], {}, null, " any"];
const NO_LIST: readonly unknown[] = [CANARY, 7, {}, [7], [""], [null], [{ a: CANARY }], null];
const NO_URL: readonly unknown[] = [
  CANARY,
  `http://h.example/${CANARY}`,
  `https://user:${CANARY}@h.example`,
  `https://h.example/?k=${CANARY}`,
  `https://h.example/#${CANARY}`,
  `ftp://h.example/${CANARY}`,
  "https://…",
  "<your url>",
  ...NO_TEXT,
];
const NO_NAMES: readonly unknown[] = [[`sk-${CANARY}`], [CANARY.toLowerCase()], ...NO_LIST];
const NO_BINDING: readonly unknown[] = [CANARY, 7, {}, [], true, { [CANARY]: 1 }];
const NO_TABLE: readonly unknown[] = [CANARY, 7, [CANARY], `["${CANARY}"]`, `{"a":"${CANARY}"`, null, true];

function tableAt(settings: Settings, path: string): Table | null {
  let table: unknown = settings;
  for (const key of path.split(/[.[\]]+/).filter((one) => one !== "")) table = (table as Table | null)?.[key];
  return table as Table | null;
}

/** A field of a table. `path` may contain indices. */
const field = (path: string, values: readonly unknown[], through = path): Fault => {
  const dot = path.lastIndexOf(".");
  return {
    path,
    through,
    apply: (settings, random) => {
      const table = dot < 0 ? settings : tableAt(settings, path.slice(0, dot));
      if (table) table[path.slice(dot + 1)] = pick(random, values);
    },
  };
};

const unknownKey = (path: string): Fault =>
  field(`${path}.surplus`, [CANARY, 1, null, { a: CANARY }, [CANARY]]);
const fields = (path: string, names: string, values: readonly unknown[]): Fault[] =>
  names.split(" ").map((name) => field(`${path}.${name}`, values));

const NO_SECRET: readonly unknown[] = ["", " \n", 7, { a: CANARY }, [CANARY], "<your key>", "xxx", undefined];
/** A header cannot hold a line break; a key cannot hold a space. */
const NO_KEY: readonly unknown[] = [
  ...NO_SECRET,
  `sk ${CANARY}`,
  `sk-${CANARY}\n-x`,
  `sk-…${CANARY}`,
  `your-${CANARY}`,
];

/** Faults of single fields. No fault here can hide another. */
const NO_MAC_KEY = [CANARY, "", 7, `${CANARY} ${"x".repeat(40)}`, "x".repeat(40), null];

const FIELD_FAULTS: readonly Fault[] = [
  field("PROVIDERS.openai.type", NO_WORD),
  field("PROVIDERS.openai.base_url", NO_URL),
  field("PROVIDERS.openai.keys", NO_NAMES),
  field("PROVIDERS.openai.models", NO_LIST),
  ...fields("PROVIDERS.openai", "inject_usage forward_coder_headers", NO_FLAG),
  unknownKey("PROVIDERS.openai"),
  field("PROVIDERS.anthropic.base_url", [...NO_URL, "https://api.anthropic.example/v1"]),
  field("PROVIDERS.sessions", [{ type: "openai", base_url: "https://h.example" }]),
  field("PROVIDERS.Bad_Name", [{ type: "openai", base_url: "https://h.example" }]),
  field("PROVIDERS.plain", [CANARY, 7, [CANARY], null]),
  unknownKey("IDENTITY[0]"),
  field("IDENTITY[1].url", NO_URL),
  ...fields("IDENTITY[1]", "cache_ttl_s negative_ttl_s timeout_ms", NO_COUNT),
  unknownKey("IDENTITY[1]"),
  field("IDENTITY[2].issuer", [...NO_TEXT, "<issuer>", undefined]),
  field("IDENTITY[2].jwks_url", NO_URL),
  field("IDENTITY[2].audience", [7, [], "", "<aud>", null, {}, [7]]),
  field("IDENTITY[2].algorithms", [[], ["none"], ["HS256"], [CANARY], 7, CANARY]),
  field("IDENTITY[2].kind", NO_WORD),
  ...fields("IDENTITY[2]", "actor_claim name_claim", NO_TEXT),
  ...fields("IDENTITY[2]", "max_age_s clock_tolerance_s cooldown_s timeout_ms", NO_COUNT),
  field("IDENTITY[3].team_domain", [...NO_URL, `https://team.example/${CANARY}`]),
  field("IDENTITY[3].audience", [7, [], "", "<aud>", null, {}]),
  field("IDENTITY[3].own_keys", NO_WORD),
  ...fields("OWNER_ASSERTION", "allow on_invalid signature", NO_WORD),
  field("OWNER_ASSERTION.actors", NO_LIST),
  field("OWNER_ASSERTION.signing_keys", NO_NAMES),
  field("OWNER_ASSERTION.replay_cache", NO_FLAG),
  unknownKey("OWNER_ASSERTION"),
  field("OWNER_ASSERTION.directory.url", NO_URL),
  field("OWNER_ASSERTION.directory.token", [`sk-${CANARY}`, ...NO_TEXT]),
  ...fields("OWNER_ASSERTION.directory", "cache_ttl_s negative_ttl_s timeout_ms", NO_COUNT),
  field("OWNER_ASSERTION.directory.on_down", NO_WORD),
  unknownKey("OWNER_ASSERTION.directory"),
  field("DELEGATION.keys", [[], ...NO_NAMES]),
  field("DELEGATION.actor", [`${CANARY} with blanks`, "byok:abc", "-x", ...NO_TEXT]),
  unknownKey("DELEGATION"),
  ...fields("RECORDING", "required all_events log_mac prompts tool_inputs thoughts error_messages", NO_FLAG),
  field("RECORDING.redact", [["("], [`${CANARY}(`], [""], ["x*"], ...NO_LIST]),
  unknownKey("RECORDING"),
  ...fields(
    "LIMITS",
    "body_bytes upload_bytes bodies_bytes body_ms body_min_rate headers_ms idle_ms observe_bytes",
    NO_COUNT,
  ),
  unknownKey("LIMITS"),
  ...["INTERCEPTIONS", "OVERRIDES", "EVENTS", "RECORDS", "NONCES", "OBJECTS"].map((name) =>
    field(name, NO_BINDING),
  ),
  field("FORWARD_API", NO_FLAG_OR_TEXT),
  field("EVENT_MAC_KEY", NO_MAC_KEY),
  // Keys of the records Worker: the gateway rejects them with any value.
  ...["LEDGER", "ARCHIVE"].map((name) => field(name, [{ prepare: () => CANARY }, ...NO_BINDING])),
  field("RETENTION_DAYS", [30, "30", ...NO_DAYS]),
  ...["OPENAI_KEY", "OPENAI_KEY_2"].map((name) => field(name, NO_KEY, "PROVIDERS.openai.keys")),
  field("GATEWAY_KEY", [...NO_SECRET, CANARY, `${CANARY},${"x".repeat(40)}`], "DELEGATION.keys"),
  field("COREDIR_TOKEN", NO_SECRET, "OWNER_ASSERTION.directory.token"),
  field(
    "CLIENT_KEYS",
    [CANARY, "{}", `[{"sha256":"${CANARY}"}]`, `["${CANARY}"]`, `[{"${CANARY.toLowerCase()}":1}]`, 7, ""],
    "IDENTITY",
  ),
  field("LIMIT", [{ body_bytes: 1, a: CANARY }]),
  field("PROVIDER", [{ [CANARY.toLowerCase()]: {} }]),
];

/** Faults that replace a whole table, so that its fields are no longer read. */
const TABLE_FAULTS: readonly Fault[] = [
  ...["PROVIDERS", "OWNER_ASSERTION", "DELEGATION", "RECORDING", "LIMITS"].map((name) =>
    field(name, NO_TABLE),
  ),
  field("PROVIDERS", [{}, "{}", undefined]),
  field("IDENTITY", [CANARY, 7, {}, [], `{"a":"${CANARY}"}`, null, "[]"]),
];

export type Faults = { readonly tables: readonly Fault[]; readonly fields: readonly Fault[] };

export const GATEWAY_FAULTS: Faults = { tables: TABLE_FAULTS, fields: FIELD_FAULTS };

export const RECORDS_FAULTS: Faults = {
  tables: [],
  fields: [
    ...["LEDGER", "ARCHIVE"].map((name) => field(name, NO_BINDING)),
    field("RETENTION_DAYS", NO_DAYS),
    field("EVENT_MAC", [CANARY, "Require", "", 7, true, null]),
    field("EVENT_MAC_KEY", NO_MAC_KEY),
    field("ADMIN_TOKEN", [CANARY, "A".repeat(64), "a".repeat(63), "", 7, `${"a".repeat(64)} ${CANARY}`]),
  ],
};

/** At most one fault per path. A table's fault is rare, and excludes the faults of its fields. */
export function drawFaults(random: Random, { tables, fields: single }: Faults): Fault[] {
  const share = chance(random, 0.1) ? 0.5 : 0.06;
  const drawn = [
    ...(tables.length > 0 && chance(random, 0.2) ? [pick(random, tables)] : []),
    ...single.filter(() => chance(random, share)),
  ];
  return drawn.filter((one) => !drawn.some((other) => other !== one && isWithin(one.through, other.path)));
}

const isWithin = (path: string, outer: string): boolean =>
  path.startsWith(outer) && /^(?:$|[.[])/.test(path.slice(outer.length));
