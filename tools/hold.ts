/** `npm run hold`: legal holds. The cron deletes no row of a principal or a session while a hold on it is in force. */
import { randomUUID } from "node:crypto";
import { parseArgs } from "node:util";
import { canonicalId, uuidV7 } from "../src/shared/uuid.ts";
import { executeSql, queryLedger, type LedgerPlace } from "./local/ledger-sql.ts";
import { runCommand } from "./local/command.ts";
import { PLACE_OPTIONS, PLACE_USAGE, readPlace } from "./local/place.ts";
import { literal } from "./local/sql-literal.ts";
import { argumentError } from "./local/start-failure.ts";
import { toolAccess } from "./local/tool-access.ts";
import { toSql } from "./replay/sql.ts";

const USAGE = `Usage: npm run -s hold -- add (--principal <id> | --session <id>) --reason <text> [place]
       npm run -s hold -- release <hold id> [place]
       npm run -s hold -- list [place]

A hold keeps all rows of a principal (an id, as initiator and as actor, of any source) or of a client's session,
regardless of their age and the size of the database. Each hold and release is an event: GET /accesses.

place:
${PLACE_USAGE}`;

type Action =
  | { readonly verb: "list" }
  | { readonly verb: "release"; readonly id: string }
  | {
      readonly verb: "add";
      readonly principal: string | null;
      readonly session: string | null;
      readonly reason: string;
    };

export type HoldCommand = Action & { readonly place: LedgerPlace };

export const main = (args: readonly string[]): Promise<number> =>
  runCommand(args, { usage: USAGE, read: readArguments, run });

/** @returns the command, or one sentence that says why the arguments are invalid. */
export function readArguments(args: readonly string[]): HoldCommand | string {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        principal: { type: "string" },
        session: { type: "string" },
        reason: { type: "string" },
        ...PLACE_OPTIONS,
      },
    });
    const place = readPlace(values);
    if (typeof place === "string") return place;
    const action = readAction(positionals, values);
    return typeof action === "string" ? action : { ...action, place };
  } catch (error) {
    return argumentError(error);
  }
}

type Options = {
  readonly principal?: string | undefined;
  readonly session?: string | undefined;
  readonly reason?: string | undefined;
};

function readAction(
  [verb, id, ...others]: readonly string[],
  { principal, session, reason }: Options,
): Action | string {
  if (others.length > 0) return "There are too many arguments.";
  if (verb === "list" && id === undefined) return { verb };
  if (verb === "release") return id === undefined ? "release requires the id of a hold." : { verb, id };
  if (verb !== "add" || id !== undefined) return "The command must be add, release or list.";
  if ((principal === undefined) === (session === undefined))
    return "add requires either --principal or --session.";
  if (!reason?.trim()) return "add requires --reason.";
  return { verb, principal: principal ?? null, session: session ?? null, reason };
}

/** @returns the text to print. */
async function run(command: HoldCommand): Promise<string> {
  const { place } = command;
  if (command.verb === "list")
    return listed(await queryLedger("SELECT * FROM legal_holds ORDER BY id", place));
  const now = Date.now();
  if (command.verb === "add") {
    const id = uuidV7(now, randomUUID());
    await executeSql(addSql(id, command, now), place);
    return `The hold ${id} is in force.\n`;
  }
  const held = await queryLedger("SELECT id FROM legal_holds", place);
  if (!held.some(({ id }) => id === command.id)) throw new Error("There is no such hold.");
  await executeSql(releaseSql(command.id, now), place);
  return `The hold ${command.id} is released. The next run of the cron deletes what has expired.\n`;
}

type Added = Extract<Action, { readonly verb: "add" }>;

export function addSql(id: string, { principal, session, reason }: Added, now: number): string {
  const held = principal === null ? null : canonicalId(principal);
  const at = new Date(now).toISOString();
  const insert = `INSERT INTO legal_holds (id, principal_id, session_id, reason, created_at) VALUES (${[id, held, session, reason, at].map(literal).join(", ")});\n`;
  const target = held ?? session ?? "";
  return insert + eventSql({ action: "hold", target, parameters: { hold: id }, cause: reason }, now);
}

export const releaseSql = (id: string, now: number): string =>
  `DELETE FROM legal_holds WHERE id = ${literal(id)};\n` +
  eventSql({ action: "release", target: id, parameters: { hold: id }, cause: null }, now);

const eventSql = (facts: Parameters<typeof toolAccess>[0], now: number): string =>
  toSql([toolAccess(facts, uuidV7(now, randomUUID()), now)]);

function listed(rows: readonly Readonly<Record<string, unknown>>[]): string {
  if (rows.length === 0) return "No hold is in force.\n";
  return rows
    .map(({ id, principal_id, session_id, reason, created_at }) => {
      const who =
        principal_id === null ? `session ${String(session_id)}` : `principal ${String(principal_id)}`;
      return `${String(id)}  ${String(created_at)}  ${who}  ${JSON.stringify(reason)}\n`;
    })
    .join("");
}
