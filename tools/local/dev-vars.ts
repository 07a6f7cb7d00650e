/**
 * The variables and secrets of a local run. `.dev.vars` belongs to the gateway, `.dev.vars.records` to the records Worker;
 * this fills in what they leave open.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { PRESETS } from "../../src/gateway/config/presets.ts";
import { EVENT_MAC_KEY } from "../../src/shared/config/event-mac-keys.ts";
import { entryFor, mintAdminToken, mintKey, mintMacKey, sha256 } from "../client-key.ts";
import {
  LOCAL_ADMIN_TOKEN,
  LOCAL_EVENT_MAC_KEY,
  LOCAL_SEAL_KEY,
  LOCAL_SEAL_ORIGIN,
  localKeyEntries,
} from "../local-keys.ts";
import { ROOT } from "../root.ts";
import { sentenceOf, StartFailure } from "./start-failure.ts";

const DEV_VARS_FILE = ".dev.vars";
const RECORDS_DEV_VARS_FILE = ".dev.vars.records";

export const DEV_VARS = join(ROOT, DEV_VARS_FILE);

export type Vars = Readonly<Record<string, string>>;

/** The variables of both Workers. */
export type WorkerVars = { readonly gateway: Vars; readonly records: Vars };

/**
 * - `emulated`: the provider is the emulator.
 * - `real`: `.dev.vars` has provider keys, so the real providers are used.
 * - `own`: `.dev.vars` sets `PROVIDERS` itself.
 */
export type Mode = "emulated" | "real" | "own";

export type Providers = Readonly<Record<string, { readonly type: string }>>;

export type Setup = {
  readonly mode: Mode;
  /** The variables that the files leave open, filled in for this run. */
  readonly vars: WorkerVars;
  /** Name and type of each provider; empty where `PROVIDERS` in `.dev.vars` cannot be read here. */
  readonly providers: Providers;
  /** Whether the client keys are those of `.dev.vars`, which only their author knows. */
  readonly ownClientKeys: boolean;
  /** Which credentials are accepted: client keys, and any provider key. */
  readonly accepts: { readonly keys: boolean; readonly byok: boolean };
  /** A client key minted for this run; absent where the keys are the local ones or those of `.dev.vars`. */
  readonly clientKey?: string;
  /** The token for the records API; absent where `.dev.vars.records` has its own. */
  readonly adminToken?: string;
};

/** The variables of a file that are set and not empty; none where the file is missing. */
export function readDevVars(path: string, name = DEV_VARS_FILE): Vars {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return {};
    throw new StartFailure(`${name} cannot be read: ${sentenceOf(error)}`);
  }
  const set = Object.entries(parseEnv(text)).filter(([, value]) => value !== undefined && value !== "");
  return Object.fromEntries(set as [string, string][]);
}

/** The variables of both files in the project's folder. */
export const readDevVarsFiles = (folder = ROOT): WorkerVars => ({
  gateway: readDevVars(join(folder, DEV_VARS_FILE)),
  records: readDevVars(join(folder, RECORDS_DEV_VARS_FILE), RECORDS_DEV_VARS_FILE),
});

/** Read by the records Worker since there are two Workers. */
const RECORDS_KEYS = [
  "ADMIN_TOKEN",
  "RETENTION_DAYS",
  "RETENTION",
  "EVENT_MAC",
  "SEALS",
  "SEAL_KEY",
  "CONSOLE",
];

/**
 * Throws a sentence where `.dev.vars`, perhaps from before the split, sets a variable of the records Worker, or where a
 * published token or key would open real records or spend real provider keys.
 */
export function checkDevVars({ gateway, records }: WorkerVars): void {
  const misplaced = RECORDS_KEYS.filter((name) => gateway[name] !== undefined);
  if (misplaced.length > 0)
    throw new StartFailure(
      `.dev.vars sets ${misplaced.join(" and ")}, which only the records Worker reads: ` +
        `move ${misplaced.length > 1 ? "them" : "it"} to .dev.vars.records.`,
    );
  if (modeOf(gateway) === "emulated") return;
  const isPublished = "which this project publishes: it is accepted with the emulated provider only";
  if (records["ADMIN_TOKEN"]?.trim() === sha256(LOCAL_ADMIN_TOKEN))
    throw new StartFailure(
      `.dev.vars.records has an admin token ${isPublished}. Create one with npm run -s keys -- admin.`,
    );
  if ([gateway, records].some((vars) => vars[EVENT_MAC_KEY]?.includes(LOCAL_EVENT_MAC_KEY)))
    throw new StartFailure(`EVENT_MAC_KEY has a key ${isPublished}. Create one with npm run -s keys -- mac.`);
  if (records["SEAL_KEY"]?.includes(LOCAL_SEAL_KEY))
    throw new StartFailure(
      `.dev.vars.records has a key of seals ${isPublished}. Create one with npm run -s keys -- seal.`,
    );
  if (localKeyEntries().some(({ sha256: digest }) => gateway["CLIENT_KEYS"]?.includes(digest)))
    throw new StartFailure(
      `.dev.vars has a client key ${isPublished}. Create one with npm run -s keys -- new.`,
    );
}

/** Which providers a run with this `.dev.vars` calls. */
export function modeOf(devVars: Vars): Mode {
  if (devVars["PROVIDERS"] !== undefined) return "own";
  return realProviders(devVars).length > 0 ? "real" : "emulated";
}

export function chooseSetup(devVars: WorkerVars, providerUrl: string): Setup {
  const own = devVars.gateway["PROVIDERS"];
  const providers =
    own !== undefined ? ownSetup(own) : (realSetup(devVars.gateway) ?? emulatedSetup(providerUrl));
  const withToken = withAdminToken(
    withMacKey(providers, devVars),
    devVars.records["ADMIN_TOKEN"] !== undefined,
  );
  const ownSeals = ["SEALS", "SEAL_KEY"].some((name) => devVars.records[name] !== undefined);
  const chosen = ownSeals ? withToken : withSeals(withToken);
  const identity = devVars.gateway["IDENTITY"] ?? chosen.vars.gateway["IDENTITY"] ?? "";
  const accepts = (source: string): boolean => identity.includes(`"${source}"`);
  const setup = {
    ...chosen,
    vars: {
      gateway: without(chosen.vars.gateway, devVars.gateway),
      records: without(chosen.vars.records, devVars.records),
    },
    ownClientKeys: devVars.gateway["CLIENT_KEYS"] !== undefined,
    accepts: { keys: accepts("keys"), byok: accepts("byok") },
  };
  if (!setup.ownClientKeys) return setup;
  const { clientKey: _unused, ...rest } = setup;
  return rest;
}

const without = (vars: Vars, set: Vars): Vars =>
  Object.fromEntries(Object.entries(vars).filter(([name]) => set[name] === undefined));

/** With one key in both Workers: the one that a file sets, or one of this run, because the queue does not outlive it. */
function withMacKey(chosen: Chosen, { gateway, records }: WorkerVars): Chosen {
  const own = chosen.mode === "emulated" ? LOCAL_EVENT_MAC_KEY : mintMacKey();
  const key = { [EVENT_MAC_KEY]: gateway[EVENT_MAC_KEY] ?? records[EVENT_MAC_KEY] ?? own };
  const { vars } = chosen;
  return { ...chosen, vars: { gateway: { ...vars.gateway, ...key }, records: { ...vars.records, ...key } } };
}

/** With the public token where only emulated calls are recorded, with one minted for this run otherwise. */
function withAdminToken(chosen: Chosen, ownToken: boolean): Chosen {
  if (ownToken) return chosen;
  const adminToken = chosen.mode === "emulated" ? LOCAL_ADMIN_TOKEN : mintAdminToken();
  const records = { ...chosen.vars.records, ADMIN_TOKEN: sha256(adminToken) };
  return { ...chosen, vars: { ...chosen.vars, records }, adminToken };
}

/** The public key signs what only emulated calls have recorded. Otherwise nothing is sealed without a key of the operator's. */
function withSeals(chosen: Chosen): Chosen {
  if (chosen.mode !== "emulated") return chosen;
  const SEALS = JSON.stringify({ origin: LOCAL_SEAL_ORIGIN });
  const records = { ...chosen.vars.records, SEALS, SEAL_KEY: LOCAL_SEAL_KEY };
  return { ...chosen, vars: { ...chosen.vars, records } };
}

/** A setup before the variables that the files set are removed from it. */
type Chosen = Omit<Setup, "ownClientKeys" | "accepts">;

const KEYS_THEN_BYOK = JSON.stringify([{ source: "keys" }, { source: "byok" }]);

const forGateway = (gateway: Vars): WorkerVars => ({ gateway, records: {} });

/**
 * Each person has fifty dollars a month, and for one model money for one call a day: the demonstration spends it. A call of that
 * model with at most 1,000 tokens of output is reserved with about one cent.
 */
const LOCAL_BUDGETS = {
  people: { dollars: 50, hard: false },
  "codex-trial": { dollars: 0.0104, period: "day", models: ["gpt-5.1-codex"] },
};

function emulatedSetup(providerUrl: string): Chosen {
  const openai = { type: "openai", base_url: `${providerUrl}/v1` };
  const anthropic = { type: "anthropic", base_url: providerUrl };
  const azure = { type: "azure", base_url: `${providerUrl}/openai` };
  const keys = ["EMULATED_PROVIDER_KEY"];
  const providers = {
    openai,
    anthropic,
    "team-openai": { ...openai, keys },
    "team-anthropic": { ...anthropic, keys },
    azure,
    "team-azure": { ...azure, keys },
  };
  const vars = forGateway({
    PROVIDERS: JSON.stringify(providers),
    IDENTITY: KEYS_THEN_BYOK,
    EMULATED_PROVIDER_KEY: "emulated-provider-key",
    CLIENT_KEYS: JSON.stringify(localKeyEntries()),
    BUDGETS: JSON.stringify(LOCAL_BUDGETS),
  });
  return { mode: "emulated", vars, providers };
}

const REAL_PROVIDERS = {
  openai: { type: "openai", base_url: "https://api.openai.com/v1", keys: ["OPENAI_API_KEY"] },
  anthropic: { type: "anthropic", base_url: "https://api.anthropic.com", keys: ["ANTHROPIC_API_KEY"] },
};

/** Those whose keys `.dev.vars` has. */
const realProviders = (devVars: Vars) =>
  Object.entries(REAL_PROVIDERS).filter(([, { keys }]) => keys.every((name) => devVars[name]));

/** Undefined where `.dev.vars` has no provider key. */
function realSetup(devVars: Vars): Chosen | undefined {
  const withKey = realProviders(devVars);
  if (withKey.length === 0) return undefined;
  const minted = mintClientKey();
  const providers = Object.fromEntries(withKey);
  const vars = forGateway({
    PROVIDERS: JSON.stringify(providers),
    IDENTITY: JSON.stringify([{ source: "keys" }]),
    CLIENT_KEYS: minted.entries,
  });
  return { mode: "real", vars, providers, clientKey: minted.key };
}

function ownSetup(providers: string): Chosen {
  const minted = mintClientKey();
  const vars = forGateway({ IDENTITY: KEYS_THEN_BYOK, CLIENT_KEYS: minted.entries });
  return { mode: "own", vars, providers: readProviders(providers), clientKey: minted.key };
}

/** Only for the printed examples: the gateway validates `PROVIDERS` itself. */
function readProviders(text: string): Providers {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null) return {};
    const typed = Object.entries(value as Record<string, unknown>).flatMap(([name, provider]) => {
      if (typeof provider !== "object" || provider === null) return [];
      const type = typeOf(name, provider as ProviderSettings);
      return type === null ? [] : [[name, { type }] as const];
    });
    return Object.fromEntries(typed);
  } catch {
    return {};
  }
}

type ProviderSettings = { readonly type?: unknown; readonly preset?: unknown };

/** As the gateway finds it: the preset is the named one, or that of the provider's name. */
function typeOf(name: string, { type, preset = name }: ProviderSettings): string | null {
  if (typeof type === "string") return type;
  return (typeof preset === "string" ? PRESETS[preset]?.type : null) ?? null;
}

function mintClientKey(): { readonly key: string; readonly entries: string } {
  const key = mintKey();
  return {
    key,
    entries: JSON.stringify([entryFor(key, { actor: "local-service", kind: "service", assert: true })]),
  };
}
