/** Which variables and secrets the Worker runs with: what `.dev.vars` says, and for the rest what this run needs. */
import { readFileSync } from "node:fs";
import { parseEnv } from "node:util";
import { entryFor, mintAdminToken, mintKey, sha256 } from "../client-key.ts";
import { LOCAL_ADMIN_TOKEN, localKeyEntries } from "../local-keys.ts";
import { sentenceOf, StartFailure } from "./start-failure.ts";

export type Vars = Readonly<Record<string, string>>;

/**
 * - `emulated`: the provider is the emulator.
 * - `real`: `.dev.vars` has provider keys, so the providers are the real ones.
 * - `own`: `.dev.vars` says itself which providers there are.
 */
export type Mode = "emulated" | "real" | "own";

export type Providers = Readonly<Record<string, { readonly type: string }>>;

export type Setup = {
  readonly mode: Mode;
  /** What `.dev.vars` leaves open, filled in for this run. */
  readonly vars: Vars;
  /** Name and type of each provider; empty when `.dev.vars` sets something that cannot be read here. */
  readonly providers: Providers;
  /** The client keys are those of `.dev.vars`, which only who wrote them knows. */
  readonly ownClientKeys: boolean;
  /** Who may call, by `.dev.vars` or as each mode has it: whoever has a client key, and whoever has any key at all. */
  readonly takes: { readonly keys: boolean; readonly byok: boolean };
  /** A client key made for this run; absent when the keys are the local ones or those of `.dev.vars`. */
  readonly clientKey?: string;
  /** Opens the API over the records; absent when `.dev.vars` has its own. */
  readonly adminToken?: string;
};

/** The lines of `.dev.vars` that set something to other than nothing. */
export function readDevVars(path: string): Vars {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return {};
    throw new StartFailure(`.dev.vars cannot be read: ${sentenceOf(error)}`);
  }
  const set = Object.entries(parseEnv(text)).filter(([, value]) => value !== undefined && value !== "");
  return Object.fromEntries(set as [string, string][]);
}

export function chooseSetup(devVars: Vars, providerUrl: string): Setup {
  const own = devVars["PROVIDERS"];
  const providers = own !== undefined ? ownSetup(own) : (realSetup(devVars) ?? emulatedSetup(providerUrl));
  const chosen = withAdminToken(providers, devVars["ADMIN_TOKEN"] !== undefined);
  const identity = devVars["IDENTITY"] ?? chosen.vars["IDENTITY"] ?? "";
  const named = (source: string): boolean => identity.includes(`"${source}"`);
  const open = Object.entries(chosen.vars).filter(([name]) => devVars[name] === undefined);
  const setup = {
    ...chosen,
    vars: Object.fromEntries(open),
    ownClientKeys: devVars["CLIENT_KEYS"] !== undefined,
    takes: { keys: named("keys"), byok: named("byok") },
  };
  if (!setup.ownClientKeys) return setup;
  const { clientKey: _unused, ...rest } = setup;
  return rest;
}

/** With the public token where nothing real is recorded, with one for this run alone otherwise. */
function withAdminToken(chosen: Chosen, ownToken: boolean): Chosen {
  if (ownToken) return chosen;
  const adminToken = chosen.mode === "emulated" ? LOCAL_ADMIN_TOKEN : mintAdminToken();
  return { ...chosen, vars: { ...chosen.vars, ADMIN_TOKEN: sha256(adminToken) }, adminToken };
}

/** A setup before what `.dev.vars` sets is taken out of it. */
type Chosen = Omit<Setup, "ownClientKeys" | "takes">;

const KEYS_THEN_BYOK = JSON.stringify([{ source: "keys" }, { source: "byok" }]);

function emulatedSetup(providerUrl: string): Chosen {
  const openai = { type: "openai", base_url: `${providerUrl}/v1` };
  const anthropic = { type: "anthropic", base_url: providerUrl };
  const keys = ["EMULATED_PROVIDER_KEY"];
  const providers = {
    openai,
    anthropic,
    "team-openai": { ...openai, keys },
    "team-anthropic": { ...anthropic, keys },
  };
  const vars = {
    PROVIDERS: JSON.stringify(providers),
    IDENTITY: KEYS_THEN_BYOK,
    EMULATED_PROVIDER_KEY: "emulated-provider-key",
    CLIENT_KEYS: JSON.stringify(localKeyEntries()),
  };
  return { mode: "emulated", vars, providers };
}

const REAL_PROVIDERS = {
  openai: { type: "openai", base_url: "https://api.openai.com/v1", keys: ["OPENAI_API_KEY"] },
  anthropic: { type: "anthropic", base_url: "https://api.anthropic.com", keys: ["ANTHROPIC_API_KEY"] },
};

/** Undefined when `.dev.vars` has no provider's key. */
function realSetup(devVars: Vars): Chosen | undefined {
  const withKey = Object.entries(REAL_PROVIDERS).filter(([, { keys }]) =>
    keys.every((name) => devVars[name]),
  );
  if (withKey.length === 0) return undefined;
  const minted = mintedKey();
  const providers = Object.fromEntries(withKey);
  const vars = {
    PROVIDERS: JSON.stringify(providers),
    IDENTITY: JSON.stringify([{ source: "keys" }]),
    CLIENT_KEYS: minted.entries,
  };
  return { mode: "real", vars, providers, clientKey: minted.key };
}

function ownSetup(providers: string): Chosen {
  const minted = mintedKey();
  const vars = { IDENTITY: KEYS_THEN_BYOK, CLIENT_KEYS: minted.entries };
  return { mode: "own", vars, providers: readProviders(providers), clientKey: minted.key };
}

/** Only to print what to try: whether it is right is for the Worker to say. */
function readProviders(text: string): Providers {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null) return {};
    const typed = Object.entries(value as Record<string, unknown>).flatMap(([name, provider]) =>
      typeof provider === "object" && provider !== null && "type" in provider
        ? [[name, { type: String(provider.type) }] as const]
        : [],
    );
    return Object.fromEntries(typed);
  } catch {
    return {};
  }
}

function mintedKey(): { readonly key: string; readonly entries: string } {
  const key = mintKey();
  return {
    key,
    entries: JSON.stringify([entryFor(key, { actor: "local-service", kind: "service", assert: true })]),
  };
}
