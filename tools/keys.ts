/**
 * `npm run keys -- new …` mints a client key, `npm run keys -- admin` a token for the API over the records; both say what
 * to store, where and how. Stores nothing itself.
 */
import { parseArgs } from "node:util";
import {
  entryFor,
  mintAdminToken,
  mintKey,
  readActorId,
  sha256,
  type ActorKind,
  type KeyEntry,
  type KeyHolder,
} from "./client-key.ts";
import { singleQuoted } from "./local/env-file.ts";
import { sentenceOf } from "./local/start-failure.ts";

const USAGE = `Usage: npm run -s keys -- new --actor <id> [--kind user|service] [--name "…"] [--may-assert|--never-assert] [--json]

  --actor         who holds the key; for a Coder user that user's UUID
  --kind          user (default) or service
  --name          a name for people to read, recorded with each interception
  --may-assert    may name the owner of a Coder Agents request even where OWNER_ASSERTION.allow is "listed"
  --never-assert  may never do so; without either, OWNER_ASSERTION.allow decides
  --json          print {"key", "entry"} and nothing else

       npm run -s keys -- admin [--json]

  Makes a token for the API over the records; --json prints {"token", "sha256"} and nothing else.
`;

const BAD_USAGE = 2;
const LONGEST_NAME = 200;

/** `holder` null: a token for the API. */
type Wanted = { readonly holder: KeyHolder | null; readonly asJson: boolean };

export async function main(args: readonly string[]): Promise<number> {
  if (args.includes("--help") || args.includes("-h")) {
    process.stdout.write(USAGE);
    return 0;
  }
  const wanted = readArguments(args);
  if (typeof wanted === "string") {
    process.stderr.write(`${wanted} (--help shows how.)\n`);
    return BAD_USAGE;
  }
  if (wanted.holder === null) {
    const token = mintAdminToken();
    const stored = { token, sha256: sha256(token) };
    process.stdout.write(wanted.asJson ? `${JSON.stringify(stored)}\n` : explainAdmin(stored));
    return 0;
  }
  const key = mintKey();
  const entry = entryFor(key, wanted.holder);
  process.stdout.write(wanted.asJson ? `${JSON.stringify({ key, entry })}\n` : explain(key, entry));
  return 0;
}

/** What is asked for, or one sentence on why that cannot be known. */
function readArguments(args: readonly string[]): Wanted | string {
  const parsed = parse(args);
  if (typeof parsed === "string") return parsed;
  const { values, positionals } = parsed;
  if (positionals.length === 1 && positionals[0] === "admin") return { holder: null, asJson: values.json };
  if (positionals.length !== 1 || positionals[0] !== "new") return 'Ask for "new" or for "admin".';
  if (values.actor === undefined) return "--actor is missing: who holds the key?";
  const actor = readActorId(values.actor);
  if ("problem" in actor)
    return `--actor ${JSON.stringify(values.actor)} is no actor's id, which ${actor.problem}.`;
  const { kind, name } = values;
  if (!isKind(kind)) return `--kind is user or service, not ${JSON.stringify(kind)}.`;
  if (name !== undefined && name.length > LONGEST_NAME)
    return `--name has at most ${LONGEST_NAME} characters.`;
  const may = values["may-assert"];
  const never = values["never-assert"];
  if (may && never) return "--may-assert and --never-assert exclude each other.";
  return {
    holder: {
      actor: actor.id,
      kind,
      ...(name !== undefined && { name }),
      ...((may || never) && { assert: may }),
    },
    asJson: values.json,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        actor: { type: "string" },
        kind: { type: "string", default: "user" },
        name: { type: "string" },
        "may-assert": { type: "boolean", default: false },
        "never-assert": { type: "boolean", default: false },
        json: { type: "boolean", default: false },
      },
    });
  } catch (error) {
    // Node adds a second sentence, about positional arguments, which is of no use here.
    return sentenceOf(error).replace(/\. To specify.*$/s, ".");
  }
}

function isKind(text: string): text is ActorKind {
  return text === "user" || text === "service";
}

function explain(key: string, entry: KeyEntry): string {
  // Escaped as it must be wherever it is pasted between single quotes.
  const array = singleQuoted(JSON.stringify([entry]));
  const json = array.slice(2, -2);
  return `The key of ${entry.actor} (${entry.kind}), shown this once: what is stored is only its SHA-256.

  ${key}

CLIENT_KEYS is one secret with all entries in a JSON array. The entry for this key:

  ${json}

Locally, as the first one, add this line to .dev.vars; later ones go into the same array:

  CLIENT_KEYS=${array}

Deployed, a secret cannot be read back, so keep the array in a file that is not in git. For the first key:

  printf %s ${array} > client-keys.json
  npx wrangler secret put CLIENT_KEYS < client-keys.json

For a further one, add the entry to the array in client-keys.json and run the second command again: it replaces
the whole array, and a key whose entry is not in it stops working.
`;
}

function explainAdmin({
  token,
  sha256: digest,
}: {
  readonly token: string;
  readonly sha256: string;
}): string {
  return `The token for the API over the records, shown this once: what is stored is only its SHA-256.

  ${token}

Locally, add this line to .dev.vars:

  ADMIN_TOKEN=${digest}

Deployed (a new one replaces the old):

  printf %s ${digest} | npx wrangler secret put ADMIN_TOKEN

Ask with it, for example: INTERCEPTOR_ADMIN_TOKEN=… npm run report -- --url https://your-host
`;
}
