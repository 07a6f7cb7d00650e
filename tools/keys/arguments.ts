/** The command line of `npm run keys`. */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { isSealOrigin } from "../../src/shared/seal-key.ts";
import { readActorId, type ActorKind, type KeyHolder } from "../client-key.ts";
import { currentStateFolder } from "../local/state.ts";
import { deployedFiles, environmentIssue } from "../deploy/files.ts";
import { argumentError } from "../local/start-failure.ts";
import { ROOT } from "../root.ts";
import type { StoreLocation } from "./store.ts";

export const USAGE = `Usage: npm run -s keys -- new --actor <id> [--kind user|service] [--name "…"] [--may-assert|--never-assert]
                             [--store [--local|--remote]] [--json]

  --actor         the holder of the key; for a Coder user, the user's UUID
  --kind          user (default) or service
  --name          a readable name, recorded with each interception
  --may-assert    may assert owners of Coder Agents requests even if OWNER_ASSERTION.allow is "listed"
  --never-assert  may never assert owners; without either option, OWNER_ASSERTION.allow decides
  --store         stores the entry in the KV namespace KEYS (IDENTITY: { source = "keys", store = "KEYS" });
                  without it, the entry is printed for the secret CLIENT_KEYS and not stored
  --json          print only {"key", "entry"}

       npm run -s keys -- list [--local|--remote] [--json]

  Lists the keys in the store by their ids, as interceptions record them: the first digits of the SHA-256.

       npm run -s keys -- revoke <id or actor> [--local|--remote]

  Removes one key from the store, or all keys of an actor. An id may be shortened to 8 digits.

       npm run -s keys -- admin [--json]

  Creates a token for the records API; --json prints only {"token", "sha256"}.

       npm run -s keys -- mac [--json]

  Creates a key for the MACs of events, a secret of both Workers; --json prints only {"key", "key_id"}.

       npm run -s keys -- seal --origin <name> [--json]

  Creates the key pair of the log of seals. The origin is the log's unique name, such as ai.example.com/records, and never
  changes; --json prints only {"private_key", "verifier_key"}.

  --env <name>    for the Workers of \`npm run deploy -- --env <name>\`: their store, and commands that name them
  --local         the store of \`npm start\` on this machine (default)
  --remote        the deployed store; requires wrangler to be logged in, or CLOUDFLARE_API_TOKEN
  --binding       another namespace than KEYS · --config, --persist-to as in wrangler
`;

export type Command =
  | { readonly verb: "admin" | "mac"; readonly asJson: boolean; readonly environment: string | null }
  | {
      readonly verb: "seal";
      readonly origin: string;
      readonly asJson: boolean;
      readonly environment: string | null;
    }
  | {
      readonly verb: "new";
      readonly holder: KeyHolder;
      readonly store: StoreLocation | null;
      readonly asJson: boolean;
      readonly environment: string | null;
    }
  | { readonly verb: "list"; readonly store: StoreLocation; readonly asJson: boolean }
  | { readonly verb: "revoke"; readonly selector: string; readonly store: StoreLocation };

const MAX_NAME_LENGTH = 200;

/** @returns the command, or one sentence that says why the arguments are invalid. */
export function readArguments(args: readonly string[]): Command | string {
  const parsed = parse(args);
  if (typeof parsed === "string") return parsed;
  const { values, positionals } = parsed;
  const [verb = "", selector, ...more] = positionals;
  const extra = verb === "revoke" ? more[0] : selector;
  if (extra !== undefined) return `Unexpected argument ${JSON.stringify(extra)}.`;
  if (values.local && values.remote) return "--local and --remote exclude each other.";
  const environment = values.env ?? null;
  if (environment !== null) {
    const issue = environmentIssue(environment);
    if (issue !== null) return issue;
    if (values.config !== undefined) return "--env and --config exclude each other.";
  }
  const store: StoreLocation = {
    remote: values.remote,
    binding: values.binding,
    config: values.config ?? join(ROOT, deployedFiles(environment).gateway),
    environment,
    persistTo: values["persist-to"] ?? localState(values),
  };
  const asJson = values.json;
  switch (verb) {
    case "admin":
    case "mac":
      return { verb, asJson, environment };
    case "seal": {
      const { origin } = values;
      if (origin === undefined) return "--origin is required: the name of the log.";
      if (!isSealOrigin(origin)) return "--origin must have neither blanks nor plus signs.";
      return { verb, origin, asJson, environment };
    }
    case "list":
      return { verb, store, asJson };
    case "revoke":
      return selector === undefined
        ? "revoke requires the id of a key, or an actor."
        : { verb, selector, store };
    case "new": {
      const holder = readHolder(values);
      if (typeof holder === "string") return holder;
      if (!values.store && (values.local || values.remote)) return "--local and --remote require --store.";
      return { verb, holder, store: values.store ? store : null, asJson, environment };
    }
    default:
      return 'The command must be "new", "list", "revoke", "admin", "mac" or "seal".';
  }
}

/** The state of `npm start`. With an environment or a configuration of the user's own, wrangler's default. */
const localState = ({ config, env, remote }: Values): string | undefined =>
  config === undefined && env === undefined && !remote ? currentStateFolder() : undefined;

type Values = Exclude<ReturnType<typeof parse>, string>["values"];

function readHolder(values: Values): KeyHolder | string {
  if (values.actor === undefined) return "--actor is required: the holder of the key.";
  const actor = readActorId(values.actor);
  if ("problem" in actor)
    return `--actor ${JSON.stringify(values.actor)} is not a valid actor id: it ${actor.problem}.`;
  const { kind, name } = values;
  if (!isKind(kind)) return `--kind must be user or service, not ${JSON.stringify(kind)}.`;
  if (name !== undefined && name.length > MAX_NAME_LENGTH)
    return `--name must have at most ${MAX_NAME_LENGTH} characters.`;
  const mayAssert = values["may-assert"];
  const neverAssert = values["never-assert"];
  if (mayAssert && neverAssert) return "--may-assert and --never-assert exclude each other.";
  return {
    actor: actor.id,
    kind,
    ...(name !== undefined && { name }),
    ...((mayAssert || neverAssert) && { assert: mayAssert }),
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
        origin: { type: "string" },
        config: { type: "string" },
        env: { type: "string" },
        "persist-to": { type: "string" },
        json: flag,
      },
    });
  } catch (error) {
    return argumentError(error);
  }
}

function isKind(text: string): text is ActorKind {
  return text === "user" || text === "service";
}
