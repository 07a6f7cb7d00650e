import { describe, expect, it } from "vitest";
import { DATASET, issuesOf, keysWithIssues, QUEUE, read, SERVICE } from "./read-config.ts";

describe("RECORDING", () => {
  const { recording: defaults } = read({});

  it.each([
    ["all_events", { ...defaults, allEvents: true }],
    ["prompts", { ...defaults, prompts: true }],
    ["tool_inputs", { ...defaults, content: { ...defaults.content, toolInputs: true } }],
    ["thoughts", { ...defaults, content: { ...defaults.content, thoughts: true } }],
    ["error_messages", { ...defaults, content: { ...defaults.content, errorMessages: true } }],
    ["response_hash", { ...defaults, responseHash: true }],
  ])("%s changes only its own option, in a table and in a JSON string", (key, recording) => {
    for (const RECORDING of [{ [key]: true }, JSON.stringify({ [key]: true })])
      expect(read({ RECORDING }).recording).toEqual(recording);
    expect(read({ RECORDING: { [key]: false } }).recording).toEqual(defaults);
  });

  it.each([
    "required",
    "all_events",
    "prompts",
    "tool_inputs",
    "thoughts",
    "error_messages",
    "response_hash",
  ])("J2 rejects a value of %s that is neither true nor false", (key) => {
    for (const value of ["true", "false", 1, 0, null, [], {}, ""]) {
      expect(issuesOf({ RECORDING: { [key]: value }, EVENTS: QUEUE })).toEqual([
        `RECORDING.${key} must be true or false`,
      ]);
    }
  });

  it("accepts required with a queue, the records Worker, or both", () => {
    for (const bindings of [{ EVENTS: QUEUE }, { RECORDS: SERVICE }, { EVENTS: QUEUE, RECORDS: SERVICE }])
      expect(read({ RECORDING: { required: true }, ...bindings }).recording.required).toBe(true);
  });

  it("H7 rejects required without queue and records Worker: every request would be refused", () => {
    const issue = "RECORDING.required requires EVENTS or RECORDS: without them nothing stores the record";
    expect(issuesOf({ RECORDING: { required: true } })).toEqual([issue]);
    expect(issuesOf({ RECORDING: { required: true }, INTERCEPTIONS: DATASET })).toEqual([issue]);
  });
});

describe("RECORDING.network", () => {
  it.each(["off", "country", "truncated", "full"])("reads %s", (network) => {
    expect(read({ RECORDING: { network } }).recording.network).toBe(network);
  });

  it.each([true, "on", "", null, ["full"]])("J2 rejects %j, which is another word", (network) => {
    expect(issuesOf({ RECORDING: { network } })).toEqual([
      'RECORDING.network must be one of "off", "country", "truncated", "full"',
    ]);
  });
});

describe("RECORDING.redact", () => {
  it("is a list of patterns that match everywhere and by code points", () => {
    const { patterns } = read({ RECORDING: { redact: ["corp-\\w+", "^🗼$"] } }).recording;
    expect(patterns).toEqual([/corp-\w+/gu, /^🗼$/gu]);
    expect(read({ RECORDING: { redact: [] } }).recording.patterns).toEqual([]);
  });

  it.each(["corp-", 5, true, {}, null, [""], [5], [null], [["a"]]])(
    "J2 rejects %j, which is not a list of texts",
    (redact) => {
      expect(keysWithIssues({ RECORDING: { redact } })).toEqual(["RECORDING.redact"]);
    },
  );

  it.each([
    ["malformed", "("],
    ["malformed", "[z-a]"],
    ["malformed", "a{2,1}"],
    ["malformed", "*"],
    ["malformed", "\\"],
    ["valid only without the flag u", "\\-"],
    ["of another language", "(?P<name>x)"],
    ["matching an empty text", "x*"],
    ["matching an empty text", "x?|y"],
    ["matching an empty text", "()"],
    ["matching an empty text", "|"],
    ["matching an empty text", "^"],
    ["matching an empty text", "$"],
    ["matching a position", "\\b"],
    ["matching a position", "\\B"],
    ["matching a position", "(?=a)"],
    ["matching a position", "(?<=[^x])"],
  ])("J2 rejects a pattern that is %s, %j, by its index, without quoting it", (_, pattern) => {
    const vars = { RECORDING: { redact: ["fine", `${pattern}`, "CANARY("] } };
    expect(issuesOf(vars)).toEqual([
      "RECORDING.redact[1] must be a regular expression that matches no empty text",
      "RECORDING.redact[2] must be a regular expression that matches no empty text",
    ]);
  });
});

describe("RECORDING.end_users", () => {
  it("is hashed by default, without a key", () => {
    expect(read({}).recording).toMatchObject({ endUsers: "hashed", endUserKey: null });
    const RECORDING = { end_user_key: "END_USER_KEY" };
    const END_USER_KEY = "0123456789abcdef0123456789abcdef";
    expect(read({ RECORDING, END_USER_KEY }).recording.endUserKey).toBe(END_USER_KEY);
  });

  it.each([
    [{ end_users: "plain" }, 'RECORDING.end_users must be one of "hashed", "clear", "dropped"'],
    [{ end_user_key: "END_USER_KEY" }, "END_USER_KEY must have at least 32 characters"],
    [{ end_user_key: "NO_KEY" }, "NO_KEY is required: the configuration names it as a secret"],
    [{ end_user_key: "a key" }, "RECORDING.end_user_key must be the name of a secret (^[A-Z][A-Z0-9_]*$)"],
    [
      { end_users: "clear", end_user_key: "LONG_KEY" },
      'RECORDING.end_user_key applies only with end_users = "hashed"',
    ],
  ])("J2 rejects %j", (RECORDING, issue) => {
    expect(
      issuesOf({ RECORDING, END_USER_KEY: "short", LONG_KEY: "k-secret-0123456789-abcdefghijklmn" }),
    ).toEqual([issue]);
  });
});
