import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { readConfig, type Config } from "../../../src/gateway/config/config.ts";
import { registry } from "../../../src/gateway/wiring.ts";
import wranglerToml from "../../../wrangler.toml?raw";
import { DATASET, QUEUE, read, SERVICE } from "./read-config.ts";

/** The `[vars.…]` tables. Their values in this file are texts; any other value fails the test. */
function varsOf(toml: string): Record<string, unknown> {
  const vars: Record<string, unknown> = {};
  let table: Record<string, unknown> | null = null;
  for (const line of toml.split("\n")) {
    const header = /^\[+([^\]]+)\]+$/.exec(line)?.[1];
    if (header !== undefined) {
      const path = header.split(".");
      table = path[0] === "vars" ? path.slice(1).reduce(child, vars) : null;
    } else if (table && line !== "" && !line.startsWith("#")) {
      const [, key, value] = /^(\w+) = (".*")$/.exec(line) ?? [];
      if (key === undefined) throw new Error(`not a text: ${line}`);
      table[key] = JSON.parse(value ?? "");
    }
  }
  return vars;
}

const child = (table: Record<string, unknown>, name: string): Record<string, unknown> =>
  (table[name] ??= {}) as Record<string, unknown>;

/** The names of the bindings of a kind that are not commented out. */
const bindingsOf = (toml: string, kind: string): string[] =>
  [...toml.matchAll(new RegExp(`^\\[\\[${kind}\\]\\]\\nbinding = "(\\w+)"$`, "gm"))].map(
    ([, name = ""]) => name,
  );

/** The file with the bindings to the records Worker on, as `npm run deploy` generates it. */
const withRecords = wranglerToml.replace(/(?<=^# >>> records\n)[^]*(?=^# <<< records$)/m, (block) =>
  block.replaceAll(/^# ?/gm, ""),
);

function configOf(toml: string): Config {
  const bindings = [
    ...bindingsOf(toml, "analytics_engine_datasets").map((name) => [name, DATASET]),
    ...bindingsOf(toml, "queues.producers").map((name) => [name, QUEUE]),
    ...bindingsOf(toml, "services").map((name) => [name, SERVICE]),
  ];
  const config = readConfig({ ...varsOf(toml), ...Object.fromEntries(bindings) }, registry);
  if ("issues" in config) throw new Error(config.issues.join("\n"));
  return config;
}

describe("wrangler.toml", () => {
  const flags = /^compatibility_flags = \[(.*)\]$/m.exec(wranglerToml)?.[1] ?? "";

  it("J7 has the flag that shows client disconnects", () => {
    expect(flags).toContain('"enable_request_signal"');
  });

  it("J7 turns version 1 of Node's compatibility off and leaves version 2 on, for node:zlib", () => {
    expect(flags).toContain('"no_nodejs_compat"');
    expect(flags).not.toContain("no_nodejs_compat_v2");
  });

  it("binds the Worker's version, as the runtime has it", () => {
    const [, name = ""] = /^\[version_metadata\]\nbinding = "(\w+)"$/m.exec(wranglerToml) ?? [];
    const metadata = (env as Readonly<Record<string, unknown>>)[name];
    expect(read({ [name]: metadata }).workerVersion).toMatch(/^[0-9a-f-]{36}$/);
  });

  it("is a valid config of the gateway alone", () => {
    const { providers, interceptions, overrides, queue, records } = configOf(wranglerToml);
    expect([...providers.keys()]).toEqual(["openai", "anthropic"]);
    expect([interceptions, overrides]).toEqual([DATASET, DATASET]);
    expect([queue, records]).toEqual([null, null]);
  });

  it("is a valid config with the bindings to the records Worker", () => {
    const { queue, records, forwardApi } = configOf(withRecords);
    expect([queue, records, forwardApi]).toEqual([QUEUE, SERVICE, true]);
  });
});
