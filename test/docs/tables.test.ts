import { describe, expect, it } from "vitest";
import { readConfig } from "../../src/gateway/config/config.ts";
import { registry } from "../../src/gateway/wiring.ts";
import { CONFIG_KEYS } from "../../tools/tables/config-keys.ts";
import { EVENT_KINDS, sampleEvents } from "../../tools/tables/sample-events.ts";
import { PAGES, pageText, TABLES, withTables, type Page } from "../../tools/tables.ts";

const STRANGE = "zz_no_such_key";

/** What the code says it knows, from its complaint about a key that it does not. */
function knownKeys(): string[] {
  const env = {
    PROVIDERS: { a: { type: "openai", base_url: "https://a.example/v1", [STRANGE]: 1 } },
    OWNER_ASSERTION: { [STRANGE]: 1, directory: { [STRANGE]: 1 } },
    DELEGATION: { [STRANGE]: 1 },
    RECORDING: { [STRANGE]: 1 },
    LIMITS: { [STRANGE]: 1 },
  };
  const read = readConfig(env, registry);
  if (!("issues" in read)) throw new Error("strange keys were taken");
  const keys = read.issues.flatMap((problem) => {
    const [, path, known] = /^(.+)\.zz_no_such_key is unknown \(known: (.+)\)$/.exec(problem) ?? [];
    if (path !== undefined && known !== undefined) {
      return known.split(", ").map((key) => `${path === "PROVIDERS.a" ? "PROVIDERS.<name>" : path}.${key}`);
    }
    // These two tables have keys that must be there.
    if (/^(?:OWNER_ASSERTION\.directory|DELEGATION)\./.test(problem)) return [];
    throw new Error(`unexpected: ${problem}`);
  });
  // A table within a table is known by its keys.
  return keys.filter((key) => !keys.some((other) => other.startsWith(`${key}.`)));
}

/** The variables, secrets and bindings that the code looks at by themselves: none of them is a table of keys. */
function namesRead(): string[] {
  const read = new Set<string>();
  const note = (name: string | symbol): void => void (typeof name === "string" && read.add(name));
  const env = new Proxy<Record<string, unknown>>(
    { PROVIDERS: { a: { type: "openai", base_url: "https://a.example/v1" } }, ADMIN_TOKEN: "0".repeat(64) },
    { get: (target, name, self): unknown => (note(name), Reflect.get(target, name, self)) },
  );
  const config = readConfig(env, registry);
  if ("issues" in config) throw new Error(config.issues.join());
  const tables = new Set(CONFIG_KEYS.map(({ key }) => /^([A-Z_]+)(?:\[\])?\./.exec(key)?.[1]));
  return [...read].filter((name) => !tables.has(name));
}

describe("the documentation's tables", () => {
  it.each(Object.keys(PAGES) as Page[])(
    "%s: are what the code says (npm run tables writes them)",
    async (page) => {
      expect(await withTables(page, pageText(page))).toBe(pageText(page));
    },
  );

  it("are each on one page", () => {
    expect(Object.values(PAGES).flat().toSorted()).toEqual(Object.keys(TABLES).toSorted());
  });

  it("name every configuration key that is read, and no other", () => {
    const documented = CONFIG_KEYS.map(({ key }) => key).filter((key) => !key.startsWith("IDENTITY"));
    expect(documented.toSorted()).toEqual([...knownKeys(), ...namesRead()].toSorted());
  });

  it("name every option of an identity source, and no other", () => {
    // A store, as there the source reads what goes with one.
    const known = registry.sources.flatMap(({ source }) => {
      const IDENTITY = [{ source, [STRANGE]: 1, ...(source === "keys" && { store: "KEYS" }) }];
      const read = readConfig({ IDENTITY, CLIENT_KEYS: "[]" }, registry);
      const problems = "issues" in read ? read.issues.join("\n") : "";
      const options = /zz_no_such_key is unknown \(known: (.+)\)$/m.exec(problems)?.[1]?.split(", ") ?? [];
      return options.map((option) =>
        option === "source" ? "IDENTITY[].source" : `IDENTITY[${source}].${option}`,
      );
    });
    const documented = CONFIG_KEYS.map(({ key }) => key).filter((key) => key.startsWith("IDENTITY"));
    expect(documented.toSorted()).toEqual([...new Set(known)].toSorted());
  });

  it("give the defaults of OWNER_ASSERTION and DELEGATION as they are", () => {
    const config = readConfig(
      {
        PROVIDERS: { a: { type: "openai", base_url: "https://a.example/v1" } },
        OWNER_ASSERTION: { directory: { url: "https://coder.example", token: "TOKEN" } },
        DELEGATION: { keys: ["TOKEN"] },
        TOKEN: "t".repeat(32),
      },
      registry,
    );
    if ("issues" in config) throw new Error(config.issues.join());
    const { allow, onInvalid, signature, once, directory } = config.assertion;
    const asked = config.witnesses.directory;
    const documented = {
      "OWNER_ASSERTION.allow": allow,
      "OWNER_ASSERTION.on_invalid": onInvalid,
      "OWNER_ASSERTION.signature": signature,
      "OWNER_ASSERTION.replay_cache": once,
      "OWNER_ASSERTION.directory.cache_ttl_s": (asked?.cacheMs ?? 0) / 1000,
      "OWNER_ASSERTION.directory.negative_ttl_s": (asked?.negativeMs ?? 0) / 1000,
      "OWNER_ASSERTION.directory.timeout_ms": asked?.timeoutMs,
      "OWNER_ASSERTION.directory.on_down": directory,
      "DELEGATION.actor": config.delegation?.actor,
    };
    for (const [name, value] of Object.entries(documented)) {
      const written = CONFIG_KEYS.find(({ key }) => key === name)?.otherwise;
      expect([name, written]).toEqual([name, `\`${value}\``]);
    }
  });

  it("give the limits' defaults as they are", () => {
    const config = readConfig(
      { PROVIDERS: { a: { type: "openai", base_url: "https://a.example/v1" } } },
      registry,
    );
    if ("issues" in config) throw new Error(config.issues.join());
    const { bodyBytes, headersMs, idleMs, observeBytes } = config.limits;
    const documented = CONFIG_KEYS.filter(({ key }) => key.startsWith("LIMITS")).map(
      ({ otherwise }) => otherwise,
    );
    expect(documented).toEqual([bodyBytes, headersMs, idleMs, observeBytes].map((value) => `\`${value}\``));
  });

  it("give the defaults of RECORDING and RETENTION_DAYS as they are", () => {
    const config = readConfig(
      { PROVIDERS: { a: { type: "openai", base_url: "https://a.example/v1" } } },
      registry,
    );
    if ("issues" in config) throw new Error(config.issues.join());
    const { required, prompts, content, patterns } = config.recording;
    const documented = CONFIG_KEYS.filter(({ key }) => /^RE(?:CORDING|TENTION)/.test(key)).map(
      ({ otherwise }) => otherwise,
    );
    expect(documented).toEqual([
      ...[required, prompts, content.toolInputs, content.thoughts, content.errorMessages].map(
        (flag) => `\`${flag}\``,
      ),
      patterns.length === 0 ? "none" : "some",
      `\`${config.ledger.retentionDays}\``,
    ]);
  });

  it("name every kind of event", () => {
    expect(
      sampleEvents()
        .map((event) => event.record_type)
        .toSorted(),
    ).toEqual(Object.keys(EVENT_KINDS).toSorted());
  });
});
