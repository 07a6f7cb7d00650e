/** What `npm run keys` is asked to do. */
import { parseArgs } from "node:util";
import { readActorId, type ActorKind, type KeyHolder } from "../client-key.ts";
import { sentenceOf } from "../local/start-failure.ts";
import type { StorePlace } from "./store.ts";

export const USAGE = `Usage: npm run -s keys -- new --actor <id> [--kind user|service] [--name "…"] [--may-assert|--never-assert]
                             [--store [--local|--remote]] [--json]

  --actor         who holds the key; for a Coder user that user's UUID
  --kind          user (default) or service
  --name          a name for people to read, recorded with each interception
  --may-assert    may name the owner of a Coder Agents request even where OWNER_ASSERTION.allow is "listed"
  --never-assert  may never do so; without either, OWNER_ASSERTION.allow decides
  --store         puts the entry into the KV namespace KEYS (IDENTITY: { source = "keys", store = "KEYS" });
                  without, it is printed for the secret CLIENT_KEYS, and stored nowhere
  --json          print {"key", "entry"} and nothing else

       npm run -s keys -- list [--local|--remote] [--json]

  The keys in the store, each by its id, as interceptions name it: the beginning of its SHA-256.

       npm run -s keys -- revoke <id or actor> [--local|--remote]

  Takes one key out of the store, or all of an actor's. An id may be cut down to 8 digits.

       npm run -s keys -- admin [--json]

  Makes a token for the API over the records; --json prints {"token", "sha256"} and nothing else.

  --local         the store of \`npm start\` and \`wrangler dev\` on this machine (default)
  --remote        the deployed one; wrangler must be logged in, or CLOUDFLARE_API_TOKEN be set
  --binding       another namespace than KEYS · --config, --persist-to as wrangler has them
`;

export type Wanted =
  | { readonly verb: "admin"; readonly asJson: boolean }
  | {
      readonly verb: "new";
      readonly holder: KeyHolder;
      readonly store: StorePlace | null;
      readonly asJson: boolean;
    }
  | { readonly verb: "list"; readonly store: StorePlace; readonly asJson: boolean }
  | { readonly verb: "revoke"; readonly what: string; readonly store: StorePlace };

const LONGEST_NAME = 200;

/** What is asked for, or one sentence on why that cannot be known. */
export function readArguments(args: readonly string[]): Wanted | string {
  const parsed = parse(args);
  if (typeof parsed === "string") return parsed;
  const { values, positionals } = parsed;
  const [verb = "", what, ...more] = positionals;
  const extra = verb === "revoke" ? more[0] : what;
  if (extra !== undefined) return `There is nothing to do with ${JSON.stringify(extra)}.`;
  if (values.local && values.remote) return "--local and --remote exclude each other.";
  const store: StorePlace = {
    remote: values.remote,
    binding: values.binding,
    config: values.config,
    persistTo: values["persist-to"],
  };
  const asJson = values.json;
  switch (verb) {
    case "admin":
      return { verb, asJson };
    case "list":
      return { verb, store, asJson };
    case "revoke":
      return what === undefined ? "Revoke which? Give a key's id or an actor." : { verb, what, store };
    case "new": {
      const holder = readHolder(values);
      if (typeof holder === "string") return holder;
      if (!values.store && (values.local || values.remote)) return "--local and --remote go with --store.";
      return { verb, holder, store: values.store ? store : null, asJson };
    }
    default:
      return 'Ask for "new", "list", "revoke" or "admin".';
  }
}

type Values = Exclude<ReturnType<typeof parse>, string>["values"];

function readHolder(values: Values): KeyHolder | string {
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
    actor: actor.id,
    kind,
    ...(name !== undefined && { name }),
    ...((may || never) && { assert: may }),
  };
}

function parse(args: readonly string[]) {
  const flag = { type: "boolean", default: false } as const;
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        actor: { type: "string" },
        kind: { type: "string", default: "user" },
        name: { type: "string" },
        "may-assert": flag,
        "never-assert": flag,
        store: flag,
        local: flag,
        remote: flag,
        binding: { type: "string", default: "KEYS" },
        config: { type: "string" },
        "persist-to": { type: "string" },
        json: flag,
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
