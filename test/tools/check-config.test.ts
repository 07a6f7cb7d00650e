import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { check } from "../../tools/check-config.ts";
import { entryFor, sha256 } from "../../tools/client-key.ts";
import { deployWorkers } from "../../tools/deploy/deployment.ts";
import { PRODUCTION } from "../../tools/deploy/worker-configs.ts";
import { LOCAL_ADMIN_TOKEN, LOCAL_EVENT_MAC_KEY, localKeyEntries } from "../../tools/local-keys.ts";
import { sentenceOf } from "../../tools/local/start-failure.ts";
import { ROOT } from "../../tools/root.ts";

const CONFIGS = ["wrangler.toml", "wrangler.records.toml"];
const VARS_BEGIN = "[vars.PROVIDERS.openai]";

/** Files of the project's folder, or edits of those that it has, by name. */
type Files = Readonly<Record<string, string | ((text: string) => string)>>;

/** A folder with the shipped configurations and these files. */
function folderWith(files: Files): string {
  const folder = mkdtempSync(join(tmpdir(), "check-config-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const name of CONFIGS) cpSync(join(ROOT, name), join(folder, name));
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name);
    writeFileSync(path, typeof content === "string" ? content : content(readFileSync(path, "utf8")));
  }
  return folder;
}

const withVars =
  (lines: string) =>
  (text: string): string => {
    const edited = text.replace(VARS_BEGIN, () => `[vars]\n${lines}\n${VARS_BEGIN}`);
    if (edited === text) throw new Error(`the file does not contain ${VARS_BEGIN}`);
    return edited;
  };
const withRecordsVars =
  (lines: string) =>
  (text: string): string =>
    `${text}\n[vars]\n${lines}\n`;

const problemsOf = (files: Files): readonly string[] => check(folderWith(files), PRODUCTION).problems;

const ENTRY = entryFor("aei_0123456789", { actor: "ci-bot", kind: "service" });

const broken = (text: string): string => text.replace(VARS_BEGIN, `${VARS_BEGIN}\nkeys "sk-0123456789"`);

describe("npm run check-config", () => {
  it("finds the shipped configurations valid, and names the secrets that a configuration requires", () => {
    expect(check(folderWith({}), PRODUCTION)).toEqual({ problems: [], warnings: [], requiredSecrets: [] });
    const gateway = withVars('IDENTITY = [{ source = "keys" }]');
    expect(check(folderWith({ "wrangler.toml": gateway }), PRODUCTION)).toEqual({
      problems: [],
      warnings: [],
      requiredSecrets: ["CLIENT_KEYS"],
    });
  });

  it("finds fallbacks valid whose secrets are stored in the account alone", () => {
    const local = [
      "CLIENT_KEYS = '[]'",
      'IDENTITY = [{ source = "keys" }]',
      "[vars.PROVIDERS.openai]",
      'keys = ["OPENAI_KEY"]',
      'fallbacks = ["azure", "own"]',
      "[vars.PROVIDERS.azure]",
      'resource = "contoso"',
      'entra = { tenant_id = "contoso.onmicrosoft.com", client_id = "0b1c2d3e-4f50-4617-8a9b-0c1d2e3f4a5b", client_secret = "ENTRA_SECRET" }',
      "[vars.PROVIDERS.own]",
      'type = "openai"',
      'base_url = "https://own.acme-corp.com/v1"',
      'ai_gateway = { token = "AIG_TOKEN" }',
    ].join("\n");
    const { problems, requiredSecrets } = check(
      folderWith({ "wrangler.local.toml": `[vars]\n${local}\n` }),
      PRODUCTION,
    );
    expect(problems).toEqual([]);
    expect(requiredSecrets).toEqual(expect.arrayContaining(["OPENAI_KEY", "ENTRA_SECRET", "AIG_TOKEN"]));
  });

  it.each<readonly [string, Files, readonly string[]]>([
    [
      "an unknown scalar of either Worker",
      {
        "wrangler.toml": withVars("FORWARD_APIS = false"),
        "wrangler.records.toml": withRecordsVars("RETENTION_DAY = 30"),
      },
      [
        "wrangler.toml: FORWARD_APIS is not a known key (did you mean FORWARD_API?).",
        "wrangler.records.toml: RETENTION_DAY is not a known key (did you mean RETENTION_DAYS?).",
      ],
    ],
    [
      "a setting of the other Worker",
      {
        "wrangler.toml": withVars("RETENTION_DAYS = 5"),
        "wrangler.records.toml": withRecordsVars("FORWARD_API = false"),
      },
      [
        "wrangler.toml: RETENTION_DAYS must be set in the records Worker (wrangler.records.toml).",
        "wrangler.records.toml: FORWARD_API must be set in the gateway (wrangler.toml).",
      ],
    ],
    [
      "entries of client-keys.json",
      { "client-keys.json": JSON.stringify([{ ...ENTRY, kind: "robot" }, ENTRY, ENTRY]) },
      [
        'client-keys.json: CLIENT_KEYS[0].kind must be "user" or "service".',
        "client-keys.json: CLIENT_KEYS[2].sha256 must differ from every other entry in its first 16 digits.",
      ],
    ],
    [
      "a client-keys.json that is no array",
      { "client-keys.json": "{" },
      ["client-keys.json: CLIENT_KEYS must be a JSON array."],
    ],
    [
      "an empty client-keys.json",
      { "client-keys.json": "" },
      ["client-keys.json: CLIENT_KEYS must not be empty."],
    ],
    [
      // The attack: the keys of local runs are in this public source. Deployed, they would let anyone call.
      "a published key in client-keys.json",
      { "client-keys.json": JSON.stringify(localKeyEntries().slice(0, 1)) },
      [
        "client-keys.json: CLIENT_KEYS must not have the key of coder-agents-service for local runs, which is published.",
      ],
    ],
    [
      "a table in .dev.vars that is wrong, and no secret in it",
      { ".dev.vars": `OPENAI_API_KEY=sk-0123456789\nRECORDING='{"prompts":1}'\n` },
      [".dev.vars: RECORDING.prompts must be true or false."],
    ],
    [
      "a secret that a table in .dev.vars names and no file sets",
      { ".dev.vars": `OWNER_ASSERTION='{"signature":"accept","signing_keys":["SIGNING_KEY"]}'` },
      [".dev.vars: SIGNING_KEY is required: the configuration names it as a secret."],
    ],
    [
      "a secret that wrangler.toml names and .dev.vars does not set",
      {
        "wrangler.toml": withVars(
          'OWNER_ASSERTION = { signature = "accept", signing_keys = ["SIGNING_KEY"] }',
        ),
        ".dev.vars": "OPENAI_API_KEY=sk-0123456789\n",
      },
      [".dev.vars: SIGNING_KEY is required: the configuration names it as a secret."],
    ],
    [
      "an admin token instead of its SHA-256 in .dev.vars.records",
      { ".dev.vars.records": "ADMIN_TOKEN=aei_admin-0123456789" },
      [
        ".dev.vars.records: ADMIN_TOKEN must be a SHA-256 in 64 lower-case hex digits (npm run keys -- admin), or two of them with a space between.",
      ],
    ],
    [
      "a variable of the records Worker in .dev.vars",
      { ".dev.vars": "ADMIN_TOKEN=0" },
      [".dev.vars sets ADMIN_TOKEN, which only the records Worker reads: move it to .dev.vars.records."],
    ],
    [
      "the published admin token beside real provider keys",
      {
        ".dev.vars": "OPENAI_API_KEY=sk-0123456789",
        ".dev.vars.records": `ADMIN_TOKEN=${sha256(LOCAL_ADMIN_TOKEN)}`,
      },
      [
        ".dev.vars.records has an admin token which this project publishes: it is accepted with the emulated provider only. Create one with npm run -s keys -- admin.",
      ],
    ],
    [
      "a short key of the events' MACs",
      { ".dev.vars": "EVENT_MAC_KEY=0123456789" },
      [
        ".dev.vars: EVENT_MAC_KEY must have at least 32 bytes in each key.",
        "wrangler.records.toml: EVENT_MAC_KEY must have at least 32 bytes in each key.",
      ],
    ],
    [
      "the published key of the events' MACs beside real provider keys",
      { ".dev.vars": `OPENAI_API_KEY=sk-0123456789\nEVENT_MAC_KEY=${LOCAL_EVENT_MAC_KEY}` },
      [
        "EVENT_MAC_KEY has a key which this project publishes: it is accepted with the emulated provider only. Create one with npm run -s keys -- mac.",
      ],
    ],
    [
      "an issue that wrangler.toml and .dev.vars share, once",
      { "wrangler.toml": withVars("LIMITS = { idle_ms = 0 }"), ".dev.vars": "OPENAI_API_KEY=sk-0123456789" },
      ["wrangler.toml: LIMITS.idle_ms must be a whole number from 1 to 3600000."],
    ],
  ])("reports %s", (_, files, problems) => {
    expect(problemsOf(files)).toEqual(problems);
  });

  it.each([
    ["as it is", (text: string) => text, ["CLIENT_KEYS", "OPENAI_API_KEY"]],
    [
      "with every provider",
      (text: string) => text.replaceAll(/^# (?=\[vars|type|base_url|keys)/gm, ""),
      ["ANTHROPIC_API_KEY", "CLIENT_KEYS", "OPENAI_API_KEY"],
    ],
  ])("finds the template of the operator's settings valid %s", (_, edit, secrets) => {
    const folder = folderWith({});
    const template = readFileSync(join(ROOT, "wrangler.local.example.toml"), "utf8");
    const file = join(folder, "wrangler.local.toml");
    writeFileSync(file, edit(template));
    expect(check(folder, PRODUCTION).problems).toEqual([
      "wrangler.toml with wrangler.local.toml: routes must name a host of your own, not ai.your-company.com.",
    ]);
    writeFileSync(file, edit(template).replace("ai.your-company.com", "ai.acme-corp.com"));
    const { problems, warnings, requiredSecrets } = check(folder, PRODUCTION);
    expect([problems, warnings, requiredSecrets.toSorted()]).toEqual([[], [], secrets]);
  });

  // The attack: a script in a provider's response, on the gateway's host, acts as the person who is signed in (finding M8).
  it("reports a console on the gateway's host", () => {
    const files = {
      "wrangler.local.toml": 'routes = [{ pattern = "ai.acme-corp.com", custom_domain = true }]\n',
      "wrangler.records.local.toml":
        '[vars.CONSOLE]\norigins = ["https://ai-console.acme-corp.com", "https://ai.acme-corp.com"]\n',
    };
    expect(problemsOf(files)).toEqual([
      "wrangler.records.toml with wrangler.records.local.toml: CONSOLE.origins must not have the gateway's host ai.acme-corp.com.",
    ]);
  });

  // The same attack, by a host that the gateway's configuration names only by a pattern.
  it.each([
    [
      "a wildcard",
      'routes = [{ pattern = "*.acme-corp.com/*", zone_name = "acme-corp.com" }]',
      "ai-console.acme-corp.com",
    ],
    ["a wildcard without a dot", 'routes = ["https://*acme-corp.com/v1/*"]', "acme-corp.com"],
    ["workers.dev", "workers_dev = true", "ai-edge-interceptor.acme.workers.dev"],
    ["a preview", "preview_urls = true", "0a1b2c3d-ai-edge-interceptor.acme.workers.dev"],
    ["letter case", 'routes = ["AI.acme-corp.com/*"]', "ai.acme-corp.com"],
  ])("reports a console on a host of the gateway by %s", (_, settings, host) => {
    const problems = problemsOf({
      "wrangler.local.toml": `${settings}\n`,
      "wrangler.records.local.toml": `[vars.CONSOLE]\norigins = ["https://${host}"]\n`,
    });
    expect(problems).toEqual([
      expect.stringContaining(`CONSOLE.origins must not have the gateway's host ${host}`),
    ]);
  });

  it.each([
    ["of another subdomain", 'routes = ["*.ai.acme-corp.com/*"]', "", "ai-console.acme-corp.com"],
    [
      "that a route of the records Worker has first",
      'routes = ["*.acme-corp.com/*"]',
      'routes = ["ai-console.acme-corp.com/*"]',
      "ai-console.acme-corp.com",
    ],
    [
      "of the records Worker on workers.dev",
      "workers_dev = true\npreview_urls = true",
      "workers_dev = true",
      "ai-edge-interceptor-records.acme.workers.dev",
    ],
  ])("accepts a console on a host %s", (_, gateway, records, host) => {
    const files = {
      "wrangler.local.toml": `${gateway}\n`,
      "wrangler.records.local.toml": `${records}\n[vars.CONSOLE]\norigins = ["https://${host}"]\n`,
    };
    expect(problemsOf(files)).toEqual([]);
  });

  it("reports a syntax error with its line in the file that the operator edits", () => {
    const line = broken(readFileSync(join(ROOT, "wrangler.toml"), "utf8"))
      .split("\n")
      .findIndex((text) => text.startsWith("keys "));
    const folder = folderWith({ "wrangler.toml": broken });
    const start = `wrangler.toml cannot be read (line ${line + 1}): Invalid TOML`;
    expect(() => check(folder, PRODUCTION)).toThrow(start);
    expect(() => check(folder, PRODUCTION)).not.toThrow(/sk-0123456789/);
  });

  it("warns about names that nothing reads, which may be leftovers", () => {
    const files = {
      "wrangler.toml": withVars('GIT_SHA = "f9f909a"'),
      "wrangler.records.toml": withRecordsVars('GIT_SHA = "f9f909a"'),
      ".dev.vars": "OPENAI_API_KEY=sk-0123456789\nOLD_SIGNING_KEY=0\n",
    };
    expect(check(folderWith(files), PRODUCTION)).toEqual({
      problems: [],
      warnings: [
        "wrangler.toml: nothing reads GIT_SHA; correct its name or remove it.",
        "wrangler.records.toml: nothing reads GIT_SHA; correct its name or remove it.",
        ".dev.vars: nothing reads OLD_SIGNING_KEY; correct its name or remove it.",
      ],
      requiredSecrets: [],
    });
  });

  // The attack: settings are loosened for an hour. The versions in the records show it only if the operator can compute them.
  it("Finding H8: prints that both configurations are valid, and the gateway's version; exits with 0", async () => {
    const command = [join(ROOT, "tools/run.mjs"), "check-config"];
    const printed = await new Promise<string>((resolve, reject) =>
      execFile(process.execPath, command, (error, stdout) => (error ? reject(error) : resolve(stdout))),
    );
    expect(printed).toMatch(/^Both configurations are valid\.$/m);
    expect(printed).toMatch(/^The gateway's configuration version: [0-9a-f]{16}\.$/m);
  });
});

describe("npm run deploy", () => {
  it("stops at an invalid client-keys.json before it runs wrangler", async () => {
    const commands: string[] = [];
    const failure = await deployWorkers(
      { ...PRODUCTION, dryRun: false },
      {
        run: async (args) => {
          commands.push(args.join(" "));
          return { ok: true, stdout: "[]", lines: [] };
        },
        print: () => undefined,
        printError: () => undefined,
        folder: folderWith({ "client-keys.json": "[1]" }),
      },
    ).catch(sentenceOf);
    expect(failure).toContain("client-keys.json: CLIENT_KEYS[0] must be");
    expect(failure).toContain("Nothing was deployed.");
    expect(commands).toEqual([]);
  });
});

const example = (name: string): string => readFileSync(join(ROOT, `${name}.example`), "utf8");

/** The settings that the user switches on, with values where the example has none. */
const switchedOn = (name: string): string =>
  example(name)
    .replaceAll(/^# (?=[A-Z_]+=)/gm, "")
    .replace(/^(\w+_API_KEY)=$/gm, "$1=sk-0123456789")
    .replace(/^CLIENT_KEYS=$/m, `CLIENT_KEYS='${JSON.stringify([ENTRY])}'`)
    .replace(/^ADMIN_TOKEN=$/m, `ADMIN_TOKEN=${"0".repeat(64)}`);

const examples = (convert: (text: string) => string): Files => ({
  ".dev.vars": convert(switchedOn(".dev.vars")),
  ".dev.vars.records": convert(switchedOn(".dev.vars.records")),
});

describe("the examples of .dev.vars", () => {
  it("set no variable, for which the deploy button would prompt", () => {
    for (const name of [".dev.vars", ".dev.vars.records"])
      expect(example(name).match(/^(?!#|$).*/gm)).toBeNull();
  });

  it.each<readonly [string, (text: string) => string]>([
    ["line feeds", (text) => text],
    ["Windows' line ends", (text) => text.replaceAll("\n", "\r\n")],
  ])("are valid with every setting switched on and %s", (_, convert) => {
    const { problems, warnings } = check(folderWith(examples(convert)), PRODUCTION);
    expect([problems, warnings]).toEqual([[], []]);
    expect(examples(convert)[".dev.vars"]).toMatch(/^RECORDING=/m);
  });
});
