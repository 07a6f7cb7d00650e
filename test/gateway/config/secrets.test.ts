import { describe, expect, it } from "vitest";
import { centralKeys } from "../../support/in-workerd/values.ts";
import { CANARY, CLIENT_KEYS, issuesOf, keysWithIssues, provider, read, type Vars } from "./read-config.ts";

const KEY = `sk-${CANARY}-0123456789abcdef`;

const withKey = (secrets: Vars): Vars => ({
  ...provider({ keys: ["OPENAI_KEY"] }),
  IDENTITY: [{ source: "keys" }],
  CLIENT_KEYS,
  ...secrets,
});

describe("J1 secrets", () => {
  it.each([
    ["missing", {}, "is required: the configuration names it as a secret"],
    ["empty", { OPENAI_KEY: "" }, "must not be empty"],
    ["blank", { OPENAI_KEY: " \n" }, "must not be empty"],
    ["not a text", { OPENAI_KEY: { value: KEY } }, "must be a text"],
    [
      "a Secrets Store binding",
      { OPENAI_KEY: { get: async () => KEY } },
      "must be a text secret: Secrets Store bindings are not supported",
    ],
  ])("J1 reports a secret that is %s by its name", (_, secrets, issue) => {
    expect(issuesOf(withKey(secrets))).toEqual([`OPENAI_KEY ${issue}`]);
  });

  it("J1 reports missing CLIENT_KEYS when IDENTITY has keys", () => {
    expect(keysWithIssues({ IDENTITY: [{ source: "keys" }] })).toEqual(["CLIENT_KEYS"]);
  });

  it.each([
    "<your key>",
    "<OPENAI_API_KEY>",
    "your-key",
    "your-api-key",
    "your_api_key_here",
    "YOUR_OPENAI_API_KEY",
    "replace-me",
    "replace-with-your-key",
    "changeme",
    "change-me",
    "sk-...",
    "sk-ant-...",
    "xxx",
    "XXXXXXXXXXXX",
    "TODO",
  ])("J4 rejects the placeholder %j by the secret's name", (value) => {
    expect(issuesOf(withKey({ OPENAI_KEY: value }))).toEqual(["OPENAI_KEY must not be a placeholder"]);
  });

  it.each(["sk-proj-Ab_9", "sk-ant-api03-x", "xai-123", "yonder", "gsk_1"])(
    "J4 accepts %j, which is not a placeholder",
    (value) => {
      expect(read(withKey({ OPENAI_KEY: value })).providers.get("openai")?.keys).toEqual(centralKeys(value));
    },
  );

  it.each(["sk-one\nsk-two", "sk one", "sk-\u0000", "sk-é", "sk-\u2028x", "“sk-one”"])(
    "J2 rejects the provider key %j, which no header can hold",
    (value) => {
      expect(issuesOf(withKey({ OPENAI_KEY: value }))).toEqual([
        "OPENAI_KEY must be visible ASCII without blanks",
      ]);
    },
  );

  it("J1 does not print a key in the place of its secret's name", () => {
    const vars = { ...provider({ keys: [KEY] }), IDENTITY: [{ source: "keys" }], CLIENT_KEYS };
    expect(keysWithIssues(vars)).toEqual(["PROVIDERS.openai.keys[0]"]);
  });
});

describe("a secret of the gateway", () => {
  const SIGNING = { OWNER_ASSERTION: { signature: "accept", signing_keys: ["ONE"] } };
  const RANDOM = "0123456789abcdef0123456789abcdef";

  // The attack: a secret that fulfils the minimum length and can be guessed.
  it.each(["a".repeat(32), "ab".repeat(16), "12345".repeat(8)])(
    "Finding L4: is rejected where it is no random one: %s",
    (ONE) => {
      expect(issuesOf({ ...SIGNING, ONE })[0]).toMatch(/^ONE must be random/);
    },
  );

  // The attack: a gateway that may delegate signs owners of its choice with the secret that it knows.
  it("Finding L4: is rejected with a second purpose, also under another name", () => {
    const DELEGATION = { keys: ["TWO"] };
    expect(issuesOf({ ...SIGNING, DELEGATION, ONE: RANDOM, TWO: RANDOM })).toEqual([
      "DELEGATION.keys must not use a secret of OWNER_ASSERTION.signing_keys",
    ]);
    expect(issuesOf({ ...SIGNING, DELEGATION, ONE: RANDOM, TWO: `${RANDOM}x` })).toEqual([]);
    const key = { id: "a", algorithm: "hmac-sha256", secret: "ONE" };
    const OWNER_ASSERTION = { signature: "accept", http_signature_keys: [key] };
    expect(issuesOf({ OWNER_ASSERTION, DELEGATION, ONE: RANDOM, TWO: RANDOM })).toEqual([
      "DELEGATION.keys must not use a secret of OWNER_ASSERTION.http_signature_keys",
    ]);
    expect(issuesOf({ OWNER_ASSERTION, DELEGATION, ONE: RANDOM, TWO: `${RANDOM}x` })).toEqual([]);
    // The attack: a service that signs owners makes up events.
    expect(issuesOf({ ...SIGNING, ONE: RANDOM, EVENT_MAC_KEY: `${RANDOM}x ${RANDOM}` })).toEqual([
      "EVENT_MAC_KEY must not use a secret of OWNER_ASSERTION.signing_keys",
    ]);
  });

  it("Finding H9: is required by RECORDING.log_mac, and must be long and random, in each of two keys", () => {
    const RECORDING = { log_mac: true };
    const missing = "EVENT_MAC_KEY is required: the configuration names it as a secret";
    expect(issuesOf({ RECORDING })).toEqual([missing]);
    expect(issuesOf({ RECORDING, EVENT_MAC_KEY: "" })).toEqual(["EVENT_MAC_KEY must not be empty"]);
    expect(issuesOf({ EVENT_MAC_KEY: `${RANDOM} short` })).toEqual([
      "EVENT_MAC_KEY must have at least 32 bytes in each key",
    ]);
    expect(read({ RECORDING, EVENT_MAC_KEY: `${RANDOM} ${RANDOM}x` }).eventMacKeys).toEqual([
      RANDOM,
      `${RANDOM}x`,
    ]);
  });

  // Searching each response for a secret that is never sent costs CPU, and each provider response would pay it.
  it("is not searched for in responses where it is the key of the events' MACs", () => {
    expect(read({ EVENT_MAC_KEY: RANDOM }).secrets).toEqual([]);
  });
});
