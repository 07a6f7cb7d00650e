/**
 * Stores sessions in the ledger's database, in a table that is not part of the ledger. A session's id is 256 random bits. Only the
 * cookie has it. The database has its SHA-256, so that a copy of the database gives access to no session.
 */
import { sha256Hex } from "../../shared/digest.ts";
import { parseJson } from "../../shared/json.ts";
import { isScope, type Scopes } from "../../shared/scopes.ts";
import { SIGN_IN_WAYS, type Identified } from "./grant.ts";

export type Session = Identified & {
  readonly idSha256: string;
  /** The scopes at sign-in. */
  readonly scopes: Scopes;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly lastSeenAt: number;
};

export type Limits = { readonly idleMs: number; readonly maxMs: number };

/** Each method rejects where the database fails. `now`: milliseconds since 1970. */
export type SessionStore = {
  /** Also deletes the sessions that have ended. */
  readonly create: (
    id: string,
    who: Identified & { readonly scopes: Scopes },
    now: number,
  ) => Promise<Session>;
  /** null where there is no such session, or it has ended. */
  readonly find: (id: string, now: number) => Promise<Session | null>;
  readonly touch: (session: Session, now: number) => Promise<void>;
  /** Deletes the session, where there is one. */
  readonly end: (idSha256: string) => Promise<void>;
};

/** Minimum interval between writes of `last_seen_at`, so that most requests write nothing. */
const TOUCH_EVERY_MS = 60_000;

type Row = Readonly<Record<string, unknown>>;

export function createSessionStore(database: D1Database, { idleMs, maxMs }: Limits): SessionStore {
  const deleteEnded = (now: number): D1PreparedStatement =>
    database
      .prepare("DELETE FROM console_sessions WHERE created_at <= ?1 OR last_seen_at <= ?2")
      .bind(now - maxMs, now - idleMs);
  return {
    create: async (id, { way, name, subject, roles, scopes }, now) => {
      const idSha256 = await sha256Hex(id);
      const insert = database.prepare(
        "INSERT INTO console_sessions (id_sha256, way, name, subject, roles, scopes, created_at, last_seen_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)",
      );
      const values = [idSha256, way, name, subject, JSON.stringify(roles), JSON.stringify(scopes), now];
      await database.batch([deleteEnded(now), insert.bind(...values)]);
      return { idSha256, way, name, subject, roles, scopes, createdAt: now, lastSeenAt: now };
    },
    find: async (id, now) => {
      const row = await database
        .prepare(
          "SELECT * FROM console_sessions WHERE id_sha256 = ?1 AND created_at > ?2 AND last_seen_at > ?3",
        )
        .bind(await sha256Hex(id), now - maxMs, now - idleMs)
        .first<Row>();
      return row && toSession(row);
    },
    touch: async ({ idSha256, lastSeenAt }, now) => {
      if (now - lastSeenAt < TOUCH_EVERY_MS) return;
      await database
        .prepare("UPDATE console_sessions SET last_seen_at = MAX(last_seen_at, ?2) WHERE id_sha256 = ?1")
        .bind(idSha256, now)
        .run();
    },
    end: async (idSha256) => {
      await database.prepare("DELETE FROM console_sessions WHERE id_sha256 = ?1").bind(idSha256).run();
    },
  };
}

/** null where this version does not know the way of signing in: the session does not count. */
function toSession(row: Row): Session | null {
  const { id_sha256, way, name, subject, created_at, last_seen_at } = row;
  const known = SIGN_IN_WAYS.find((one) => one === way);
  if (known === undefined) return null;
  return {
    idSha256: String(id_sha256),
    way: known,
    name: String(name),
    subject: String(subject),
    roles: textsOf(row["roles"]),
    scopes: textsOf(row["scopes"]).filter(isScope),
    createdAt: Number(created_at),
    lastSeenAt: Number(last_seen_at),
  };
}

function textsOf(value: unknown): readonly string[] {
  const list = typeof value === "string" ? parseJson(value) : null;
  return Array.isArray(list) ? list.filter((item) => typeof item === "string") : [];
}
