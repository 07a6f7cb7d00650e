import { describe, expect, it } from "vitest";
import { macKeyId } from "../../src/events/event-mac.ts";
import { readEnvironment } from "../../src/shared/config/environment.ts";
import { readEventMacKeys } from "../../src/shared/config/event-mac-keys.ts";
import { entryFor, mintMacKey } from "../../tools/client-key.ts";
import { readArguments } from "../../tools/keys/arguments.ts";
import { listWarning } from "../../tools/keys/list-size.ts";
import { explain, explainAdmin, explainMac, explainSeal, explainStored } from "../../tools/keys/texts.ts";

const entry = entryFor("aei_a", { actor: "alice", kind: "user", name: "Alice Adams" });

/** A list with this many entries. */
const list = (count: number): string => JSON.stringify(Array.from({ length: count }, () => entry));

describe("the warning about the size of CLIENT_KEYS", () => {
  it.each([
    ["no list", null],
    ["twenty keys", list(20)],
    ["an empty list", "[]"],
  ])("is absent for %s", (_, text) => expect(listWarning(text, entry)).toBeNull());

  it("comes while there is room for a few keys", () => {
    const text = list(32);
    const bytes = text.length + JSON.stringify(entry).length + 1;
    expect(listWarning(text, entry)).toBe(
      `With this key, CLIENT_KEYS has ${bytes} bytes of the 5120 that a secret may have. ` +
        "Create keys in Workers KV instead, with --store --remote: docs/recipes.md, recipe 4.",
    );
  });

  it("says that the list does not fit a secret, from the first byte too many", () => {
    const room = 5120 - JSON.stringify(entry).length - 1;
    expect(listWarning("x".repeat(room), entry)).not.toContain("will fail");
    expect(listWarning("x".repeat(room + 1), entry)).toContain("`wrangler secret put` will fail");
    // Two bytes each.
    expect(listWarning("é".repeat(room), entry)).toContain("`wrangler secret put` will fail");
  });
});

describe("npm run keys -- mac", () => {
  it("creates a key that both configurations accept, and prints it with its id", async () => {
    const key = mintMacKey();
    expect(key).toMatch(/^aei_mac-[\w-]{43}$/);
    const issues: string[] = [];
    const environment = readEnvironment({ EVENT_MAC_KEY: key }, (path, issue) => issues.push(path + issue));
    expect([readEventMacKeys(environment), issues]).toEqual([[key], []]);
    const text = explainMac(key, await macKeyId(key), "staging");
    expect(text).toContain(`EVENT_MAC_KEY=${key}`);
    const commands = text.split("\n").filter((line) => line.includes("secret put"));
    expect(commands).toEqual([
      "  npx wrangler secret put EVENT_MAC_KEY -c wrangler.generated.staging.jsonc",
      "  npx wrangler secret put EVENT_MAC_KEY -c wrangler.generated.staging.records.jsonc",
    ]);
  });
});

describe("npm run keys -- seal", () => {
  it("requires a name that a note can have", () => {
    expect(readArguments(["seal"])).toBe("--origin is required: the name of the log.");
    expect(readArguments(["seal", "--origin", "a b"])).toMatch("neither blanks nor plus signs");
    expect(readArguments(["seal", "--origin", "a.example/log", "--json"])).toEqual({
      verb: "seal",
      origin: "a.example/log",
      asJson: true,
      environment: null,
    });
  });

  it("prints both keys and the command of the environment", () => {
    const pair = { privateKey: "p", verifierKey: "v" };
    const text = explainSeal(pair, "a", "staging");
    expect(text).toContain("\n  v\n");
    expect(text).toContain("secret put SEAL_KEY -c wrangler.generated.staging.records.jsonc\n");
  });
});

describe("npm run keys -- --env", () => {
  const staging = "wrangler.generated.staging";

  it("prints the commands of the environment, never production's", () => {
    expect(explainAdmin("t", "s", "staging")).toContain(
      `secret put ADMIN_TOKEN -c ${staging}.records.jsonc\n`,
    );
    expect(explainAdmin("t", "s", null)).toContain(
      "secret put ADMIN_TOKEN -c wrangler.generated.records.jsonc\n",
    );
    expect(explain("k", entry, "staging")).toContain(
      `secret put CLIENT_KEYS -c ${staging}.jsonc < client-keys.staging.json\n`,
    );
    expect(explain("k", entry, null)).toContain(
      "secret put CLIENT_KEYS -c wrangler.generated.jsonc < client-keys.json\n",
    );
  });

  it("selects the store of the environment", () => {
    const command = readArguments(["new", "--actor", "a", "--store", "--remote", "--env", "staging"]);
    if (typeof command === "string" || command.verb !== "new" || command.store === null)
      throw new Error(JSON.stringify(command));
    expect(command.store.config).toMatch(/wrangler\.generated\.staging\.jsonc$/);
    expect(explainStored("k", entry, command.store)).toMatch(
      /keys -- revoke [0-9a-f]{16} --remote --env staging\n/,
    );
  });

  it.each([
    [["admin", "--env", "Staging"], "--env must be a name"],
    [["list", "--env", "staging", "--config", "x"], "--env and --config exclude each other."],
  ])("rejects %j", (args, problem) => expect(readArguments(args)).toContain(problem));
});
