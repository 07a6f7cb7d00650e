import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import {
  readProjectConfig,
  withLocalSettings,
  withRecordsBindings,
  writeConfig,
} from "../../tools/deploy/project-config.ts";
import { readWorkers, PRODUCTION } from "../../tools/deploy/worker-configs.ts";
import { ROOT } from "../../tools/root.ts";
import { folderWith } from "./deploy-with.ts";

const directory = mkdtempSync(join(tmpdir(), "generated-"));
afterAll(() => rmSync(directory, { recursive: true }));

describe("a generated configuration", () => {
  const file = join(directory, "wrangler.generated.jsonc");
  const write = (): void => writeConfig(file, { name: "gateway" }, "Generated.");

  it("is written as a whole, and leaves no other file", () => {
    write();
    expect(readFileSync(file, "utf8")).toBe('// Generated.\n{\n  "name": "gateway"\n}\n');
    expect(readdirSync(directory)).toEqual(["wrangler.generated.jsonc"]);
  });

  it("is not written again while its text is the same", () => {
    const { ino, mtimeMs } = statSync(file);
    write();
    expect([statSync(file).ino, statSync(file).mtimeMs]).toEqual([ino, mtimeMs]);
  });
});

describe("the gateway's bindings to the records Worker", () => {
  const text = readFileSync(join(ROOT, "wrangler.toml"), "utf8");

  it("are the same from a file whose block is uncommented already", () => {
    const uncommented = text.replace(/(?<=^# >>> records\n)[^]*(?=^# <<< records$)/m, (block) =>
      block.replaceAll(/^# ?/gm, ""),
    );
    expect(withRecordsBindings(text)).toMatch(/^\[\[services\]\]$/m);
    expect(withRecordsBindings(uncommented)).toBe(withRecordsBindings(text));
  });

  it("are found in a file with Windows' line ends", () => {
    expect(withRecordsBindings(text.replaceAll("\n", "\r\n"))).toMatch(/^\[\[services\]\]\r?$/m);
  });

  it("are absent where the gateway is deployed alone", () => {
    const [both, alone] = [false, true].map((gatewayOnly) =>
      readProjectConfig(ROOT, "gateway", { gatewayOnly, shippedOnly: true }),
    );
    expect(both?.services).toEqual([{ binding: "RECORDS", service: "ai-edge-interceptor-records" }]);
    expect(alone?.services).toBeUndefined();
  });
});

describe("a local file over the shipped one", () => {
  it.each([
    ["a setting", { logpush: true }, { logpush: false }, { logpush: false }],
    ["a new setting", { a: 1 }, { routes: ["x"] }, { a: 1, routes: ["x"] }],
    ["a list", { flags: ["a", "b"] }, { flags: ["c"] }, { flags: ["c"] }],
    [
      // The shipped table keeps header values out of Cloudflare's own logs; a sampling rate must not lose that.
      "a key of a table",
      { observability: { enabled: true, logs: { invocation_logs: false } } },
      { observability: { head_sampling_rate: 0.1, logs: { persist: true } } },
      {
        observability: {
          enabled: true,
          head_sampling_rate: 0.1,
          logs: { invocation_logs: false, persist: true },
        },
      },
    ],
    [
      // Merged, the shipped provider would stay.
      "a variable that is a table",
      { vars: { PROVIDERS: { openai: {}, anthropic: {} }, FORWARD_API: true } },
      { vars: { PROVIDERS: { openai: { keys: ["K"] } } } },
      { vars: { PROVIDERS: { openai: { keys: ["K"] } }, FORWARD_API: true } },
    ],
    ["variables beside none", {}, { vars: { RETENTION_DAYS: 30 } }, { vars: { RETENTION_DAYS: 30 } }],
    ["no variables beside some", { vars: { A: 1 } }, {}, { vars: { A: 1 } }],
  ])("replaces or merges %s", (_, shipped, local, expected) => {
    expect(withLocalSettings(shipped, local)).toEqual(expected);
  });

  const local = {
    "wrangler.local.toml":
      'routes = [{ pattern = "ai.example.com", custom_domain = true }]\n[vars]\nIDENTITY = [{ source = "keys" }]\n[env.staging]\nworkers_dev = true\n',
    "wrangler.records.local.toml": "[vars]\nRETENTION_DAYS = 7\n",
  };

  it("is what a deployment, an environment and the errors use", () => {
    const folder = folderWith({}, local);
    const { gateway, records } = readWorkers(folder, PRODUCTION);
    expect([gateway.vars["IDENTITY"], records?.vars["RETENTION_DAYS"]]).toEqual([[{ source: "keys" }], 7]);
    expect(gateway.routes).toEqual([{ pattern: "ai.example.com", custom_domain: true }]);
    expect([gateway.source, records?.source]).toEqual([
      "wrangler.toml with wrangler.local.toml",
      "wrangler.records.toml with wrangler.records.local.toml",
    ]);
    const staging = readWorkers(folder, { ...PRODUCTION, environment: "staging" });
    expect([staging.gateway.workers_dev, staging.gateway.routes]).toEqual([true, []]);
    expect([staging.gateway.vars["IDENTITY"], staging.records?.vars["RETENTION_DAYS"]]).toEqual([
      [{ source: "keys" }],
      7,
    ]);
  });

  it("is named where it has a syntax error, with the line and without the line's text", () => {
    const folder = folderWith({}, { "wrangler.local.toml": '[vars]\nkeys "sk-0123456789"\n' });
    const read = (): unknown => readWorkers(folder, PRODUCTION);
    expect(read).toThrow("wrangler.local.toml cannot be read (line 2): Invalid TOML");
    expect(read).not.toThrow(/sk-0123456789/);
  });

  // The attack: the operator forbids owner headers above [vars], wrangler only warns, and the open default stays in force.
  it.each([
    ['OWNER_ASSERTION = { allow = "off" }', "OWNER_ASSERTION must stand below [vars]."],
    ["RETENTION_DAYS = 30", "RETENTION_DAYS must stand below [vars]."],
    ["IDENTIY = []", "IDENTIY must stand below [vars]."],
    ["rutes = []", "rutes is not a setting of wrangler."],
    ["[var]\nA = 1", "var is not a setting of wrangler."],
    ["[env.staging]\nIDENTITY = []", "IDENTITY must stand below [env.staging.vars]."],
    ["[env.staging]\nrutes = []", "env.staging.rutes is not a setting of wrangler."],
  ])("is rejected with %s", (text, issue) => {
    const read = (file: string) => (): unknown => readWorkers(folderWith({}, { [file]: text }), PRODUCTION);
    expect(read("wrangler.local.toml")).toThrow(`wrangler.local.toml: ${issue}`);
    expect(read("wrangler.records.local.toml")).toThrow(`wrangler.records.local.toml: ${issue}`);
  });

  it("is rejected with all of its misplaced settings at once", () => {
    const folder = folderWith({}, { "wrangler.local.toml": "IDENTITY = []\nrutes = []\n" });
    expect(() => readWorkers(folder, PRODUCTION)).toThrow(
      /IDENTITY must stand below \[vars\]\.\n.*rutes is not a setting/,
    );
  });

  it("is ignored by git", () => {
    const ignored = readFileSync(join(ROOT, ".gitignore"), "utf8").split("\n");
    expect(ignored).toEqual(expect.arrayContaining([...Object.keys(local), "wrangler.generated.*"]));
  });
});
