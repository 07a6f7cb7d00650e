/** The providers that `check-config --probe` tries, with the secrets of `.dev.vars`. */
import { readConfig } from "../../src/gateway/config/config.ts";
import { registry } from "../../src/gateway/wiring.ts";
import type { Provider } from "../../src/gateway/provider/provider.ts";
import type { Env } from "../../src/shared/config/environment.ts";
import { fromJson } from "../../src/shared/config/fields.ts";
import { GATEWAY_SETTINGS } from "../../src/shared/config/unread-names.ts";
import { environmentOf } from "../deploy/check.ts";
import type { Workers } from "../deploy/worker-configs.ts";
import { chooseSetup, modeOf, readDevVarsFiles, type WorkerVars } from "../local/dev-vars.ts";
import { localKeyEntries } from "../local-keys.ts";

export type ProbedProvider = {
  readonly name: string;
  /** A sentence instead where its settings name a secret that is not here. */
  readonly provider: Provider | string;
};

/**
 * Those of `.dev.vars`, else of the configuration. Where neither names a key and `.dev.vars` has one of OpenAI's or Anthropic's,
 * those that `npm start` then calls.
 */
export function probedProviders(folder: string, { gateway }: Workers): readonly ProbedProvider[] {
  const files = readDevVarsFiles(folder);
  const env = { ...environmentOf(gateway), ...files.gateway };
  const configured = tableOf(env["PROVIDERS"]);
  const providers = namesKeys(configured) ? configured : { ...configured, ...startProviders(files) };
  return Object.entries(providers).map(([name, settings]) => ({
    name,
    provider: readOne(name, settings, env),
  }));
}

type Table = Readonly<Record<string, unknown>>;

function tableOf(value: unknown): Table {
  const table = fromJson(value);
  return typeof table === "object" && table !== null ? (table as Table) : {};
}

const namesKeys = (providers: Table): boolean =>
  /"(?:keys|token|entra|aws)":/.test(JSON.stringify(Object.values(providers).map(tableOf)));

function startProviders(files: WorkerVars): Table {
  if (modeOf(files.gateway) !== "real") return {};
  return tableOf(chooseSetup(files, "http://127.0.0.1").vars.gateway["PROVIDERS"]);
}

/** Alone, without its fallbacks, so that what another provider or another table lacks does not matter. */
function readOne(name: string, settings: unknown, env: Env): ProbedProvider["provider"] {
  const values = Object.entries(env).filter(([key]) => !GATEWAY_SETTINGS.includes(key));
  const config = readConfig(
    {
      ...Object.fromEntries(values),
      PROVIDERS: { [name]: { ...tableOf(settings), fallbacks: [] } },
      IDENTITY: [{ source: "keys" }],
      CLIENT_KEYS: JSON.stringify(localKeyEntries()),
    },
    registry,
  );
  if ("issues" in config) return `${config.issues.join("; ")}.`;
  return config.providers.get(name) ?? "is not configured.";
}
