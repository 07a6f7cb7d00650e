/** The tables that hold a person outside the ledger's events: what the cron derives, and events without a valid MAC. */
import { parseJson } from "../../../shared/json.ts";
import type { Row } from "../seal/rebuild.ts";
import { ANOMALY_TABLE_KEYS, TABLE_KEYS } from "../tables.ts";
import { UNAUTHENTICATED_TABLE } from "../write/unauthenticated.ts";
import { eraseEvent } from "./erase-event.ts";
import type { Statement } from "./erase-row.ts";
import type { Rules } from "./field-rules.ts";
import { isPrincipal, type Source } from "./find-rows.ts";
import { ERASED } from "../erased-texts.ts";
import { textWithout, withoutPerson, type Person } from "./person.ts";

export type OtherTable = {
  readonly source: Source;
  /** The statements that erase the person in a row; none where it does not change. `newId`: a UUID of version 4. */
  readonly erase: (row: Row, rules: Rules, newId: () => string) => readonly Statement[];
};

const text = (row: Row, name: string): string => String(row[name]);

const UNAUTHENTICATED: OtherTable = {
  source: {
    table: UNAUTHENTICATED_TABLE,
    key: ["id"],
    columns: ["event"],
    matches: "INSTR(r.event, v.value) > 0",
  },
  erase: (row, rules) => {
    const stored = text(row, "event");
    const event = parseJson(stored);
    const erased =
      event === undefined ? unreadable(stored, rules.person) : JSON.stringify(eraseEvent(event, rules));
    if (erased === stored || erased === null) return [];
    return [
      {
        sql: `UPDATE ${UNAUTHENTICATED_TABLE} SET event = ?1 WHERE id = ?2 AND event = ?3`,
        values: [erased, text(row, "id"), stored],
      },
    ];
  },
};

const unreadable = (stored: string, person: Person): string | null =>
  person.isMentioned(stored) ? JSON.stringify({ [ERASED]: true }) : null;

/** An anomaly's id is a hash of whom it is about, so it gets another one of its day. */
const ANOMALIES: OtherTable = {
  source: {
    table: "anomalies",
    key: ANOMALY_TABLE_KEYS.anomalies,
    columns: ["subject", "details"],
    matches: "r.subject = v.value OR INSTR(r.details, v.value) > 0",
  },
  erase: (row, { person }, newId) => {
    const subject = textWithout(text(row, "subject"), person);
    const details = JSON.stringify(withoutPerson(parseJson(text(row, "details")), person));
    if (subject === row["subject"] && details === row["details"]) return [];
    const [id, random] = [text(row, "id"), newId()];
    const other = `${id.slice(0, 14)}8${random.slice(15, 18)}-8${random.slice(20)}`;
    return [
      {
        sql: "UPDATE anomalies SET id = ?1, subject = ?2, details = ?3 WHERE id = ?4",
        values: [other, subject, details, id],
      },
    ];
  },
};

/** The key of a tool call whose interception is gone. The others get that of their interception, once it is erased. */
const LINK_KEYS: OtherTable = {
  source: {
    table: "tool_usages",
    key: TABLE_KEYS.tool_usages,
    columns: ["link_key"],
    matches:
      "INSTR(r.link_key, v.value) > 0 AND NOT EXISTS (SELECT 1 FROM interceptions AS i WHERE i.id = r.interception_id)",
  },
  erase: (row, { person }) => {
    const key = parseJson(text(row, "link_key"));
    if (!Array.isArray(key) || !key.some((part) => typeof part === "string" && person.isId(part))) return [];
    return [
      {
        sql: "UPDATE tool_usages SET link_key = NULL WHERE interception_id = ?1 AND id = ?2",
        values: [text(row, "interception_id"), text(row, "id")],
      },
    ];
  },
};

type Aggregate = {
  readonly table: "actor_owners" | "actor_hours" | "key_refusals";
  /** The columns of the key that can name the person. */
  readonly names: readonly string[];
  readonly matches: string;
  /** The other columns, each with the SQL that adds two rows of one key: a person's ids become one. */
  readonly added: Readonly<Record<string, string>>;
};

const least = (name: string): string => `MIN(${name}, excluded.${name})`;
const most = (name: string): string => `MAX(${name}, excluded.${name})`;
const sum = (name: string): string => `${name} + excluded.${name}`;

const AGGREGATES: readonly Aggregate[] = [
  {
    table: "actor_owners",
    names: ["actor", "owner"],
    matches: `${isPrincipal("actor")} OR ${isPrincipal("owner")}`,
    added: { first_id: least("first_id"), last_id: most("last_id") },
  },
  {
    table: "actor_hours",
    names: ["actor"],
    matches: isPrincipal("actor"),
    added: {
      owners: most("owners"),
      served: sum("served"),
      unknown: sum("unknown"),
      last_id: most("last_id"),
    },
  },
  {
    table: "key_refusals",
    names: ["api_key_id"],
    matches: "r.api_key_id = v.value",
    added: { refusals: sum("refusals"), last_id: most("last_id") },
  },
];

function aggregateTable({ table, names, matches, added }: Aggregate): OtherTable {
  const key: readonly string[] = ANOMALY_TABLE_KEYS[table];
  const columns = [...key, ...Object.keys(added)].join(", ");
  const same = key.map((name, at) => `${name} = ?${at + 1}`).join(" AND ");
  const moved = key.map((name) => {
    const at = names.indexOf(name);
    return at < 0 ? name : `?${key.length + at + 1}`;
  });
  const update = Object.entries(added).map(([name, sql]) => `${name} = ${sql}`);
  const insert = `INSERT INTO ${table} (${columns}) SELECT ${[...moved, ...Object.keys(added)].join(", ")} FROM ${table}
WHERE ${same} ON CONFLICT (${key.join(", ")}) DO UPDATE SET ${update.join(", ")}`;
  return {
    source: { table, key, columns: [], matches },
    erase: (row, { person }) => {
      const before = names.map((name) => text(row, name));
      const after = before.map((name) => textWithout(name, person));
      if (after.every((name, at) => name === before[at])) return [];
      const keyed = key.map((name) => text(row, name));
      return [
        { sql: insert, values: [...keyed, ...after] },
        { sql: `DELETE FROM ${table} WHERE ${same}`, values: keyed },
      ];
    },
  };
}

const ACTOR_SPANS: OtherTable = {
  source: {
    table: "actor_spans",
    key: ["actor_id", "span", "initiator_id"],
    columns: [],
    matches: "v.value IN (r.actor_id, r.initiator_id)",
  },
  erase: (row, { person }) => {
    const [actor, span, initiator] = [text(row, "actor_id"), text(row, "span"), text(row, "initiator_id")];
    const [newActor, newInitiator] = [textWithout(actor, person), textWithout(initiator, person)];
    if (newActor === actor && newInitiator === initiator) return [];
    return [
      {
        sql: "INSERT INTO actor_spans (actor_id, span, initiator_id) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
        values: [newActor, span, newInitiator],
      },
      {
        sql: "DELETE FROM actor_spans WHERE actor_id = ?1 AND span = ?2 AND initiator_id = ?3",
        values: [actor, span, initiator],
      },
    ];
  },
};

/** The sessions of an erased initiator are dissolved; those in which the person only acted for another one stay. */
const SESSION_SPANS: OtherTable = {
  source: {
    table: "session_spans",
    key: ["session_id", "link_key", "span"],
    columns: [],
    matches: "INSTR(r.link_key, v.value) > 0",
  },
  erase: (row, { person }) => {
    const [session, link, span] = [text(row, "session_id"), text(row, "link_key"), text(row, "span")];
    const key = parseJson(link);
    const [initiator] = Array.isArray(key) ? (key as readonly unknown[]) : [];
    const erased = JSON.stringify(withoutPerson(key, person));
    if (erased === link) return [];
    const dissolved = typeof initiator === "string" && person.isId(initiator);
    const moved = {
      sql: "INSERT INTO session_spans (session_id, link_key, span) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
      values: [session, erased, span],
    };
    const removed = {
      sql: "DELETE FROM session_spans WHERE session_id = ?1 AND link_key = ?2 AND span = ?3",
      values: [session, link, span],
    };
    return dissolved ? [removed] : [moved, removed];
  },
};

export const OTHER_TABLES: readonly OtherTable[] = [
  UNAUTHENTICATED,
  ANOMALIES,
  LINK_KEYS,
  ACTOR_SPANS,
  SESSION_SPANS,
  ...AGGREGATES.map(aggregateTable),
];
