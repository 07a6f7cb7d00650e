/** `npm run erase`: pseudonymises a person in the ledger, in its totals and, with the records Worker's cron, in the archive. */
import { randomUUID } from "node:crypto";
import { parseArgs } from "node:util";
import { PSEUDONYM } from "../src/records/ledger/erase/person.ts";
import { canonicalId } from "../src/shared/uuid.ts";
import { erasePerson, type EraseRequest } from "./erase/erase-person.ts";
import { reportText, statusText } from "./erase/print.ts";
import { wranglerLedger } from "./erase/wrangler-ledger.ts";
import type { LedgerPlace } from "./local/ledger-sql.ts";
import { runCommand } from "./local/command.ts";
import { PLACE_OPTIONS, PLACE_USAGE, readPlace } from "./local/place.ts";
import { argumentError } from "./local/start-failure.ts";

const USAGE = `Usage: npm run -s erase -- --principal <id> [--alias <other id>]… [--name <name>]… [--technical] [--dry-run] [place]
       npm run -s erase -- --status [place]

Replaces a person's ids by one pseudonym (erased-…) and removes their names, prompts and other content, wherever the person
is initiator or actor, of any source. Totals stay exact, and the log of seals still verifies. It cannot be undone.
What it covers, and what is out of reach: docs/erasure.md.

  --principal   the id, exactly as the ledger has it (a UUID in any case)
  --alias       a further id of the same person, such as an e-mail address from another identity source; repeatable
  --name        a name, user name or hash of the person, removed where it is the whole value; repeatable
  --technical   also removes routes, names of tools and ids of responses and stored objects, which can be personal
  --pseudonym   the one of an earlier erasure of this person that is complete
  --dry-run     counts the rows, and changes nothing
  --status      lists the erasures, and how far the archive is

place:
${PLACE_USAGE}
If it is interrupted, run it again with the same options. A legal hold on the person, or on a session of theirs, prevents it (npm run hold).
`;

export type EraseCommand =
  | { readonly verb: "status"; readonly place: LedgerPlace }
  | { readonly verb: "erase"; readonly place: LedgerPlace; readonly request: EraseRequest };

export const main = (args: readonly string[]): Promise<number> =>
  runCommand(args, { usage: USAGE, read: readArguments, run });

const ERASURE_OPTION = /^--(?:principal|alias|name|pseudonym|technical|dry-run)(?:=|$)/;

const OPTIONS = {
  principal: { type: "string" },
  alias: { type: "string", multiple: true, default: [] as string[] },
  name: { type: "string", multiple: true, default: [] as string[] },
  pseudonym: { type: "string" },
  technical: { type: "boolean", default: false },
  "dry-run": { type: "boolean", default: false },
  status: { type: "boolean", default: false },
  ...PLACE_OPTIONS,
} as const;

/** @returns the command, or one sentence that says why the arguments are invalid. */
export function readArguments(args: readonly string[]): EraseCommand | string {
  try {
    const { values } = parseArgs({ args: [...args], options: OPTIONS });
    const place = readPlace(values);
    if (typeof place === "string") return place;
    if (values.status)
      return args.some((arg) => ERASURE_OPTION.test(arg))
        ? "--status excludes the options of an erasure."
        : { verb: "status", place };
    const { principal, alias, name, pseudonym = null, technical, "dry-run": isDryRun } = values;
    if (!principal) return "--principal is required.";
    if ([...alias, ...name].includes("")) return "An alias or a name must not be empty.";
    if (pseudonym !== null && !PSEUDONYM.test(pseudonym))
      return "--pseudonym must be erased- and 12 hexadecimal digits.";
    const ids = [...new Set([principal, ...alias].map(canonicalId))];
    if (ids.some((id) => PSEUDONYM.test(id))) return "The person is a pseudonym already.";
    return { verb: "erase", place, request: { ids, names: name, pseudonym, technical, isDryRun } };
  } catch (error) {
    return argumentError(error);
  }
}

/** @returns the text to print. */
async function run(command: EraseCommand): Promise<string> {
  const ledger = wranglerLedger(command.place);
  if (command.verb === "status") return statusText(await ledger.query("SELECT * FROM erasures ORDER BY id"));
  const { request } = command;
  const result = await erasePerson(ledger, request, {
    now: Date.now,
    newId: randomUUID,
    onProgress: (table, rows) => void process.stderr.write(`${table}: ${rows}\n`),
  });
  return reportText(result, request);
}
