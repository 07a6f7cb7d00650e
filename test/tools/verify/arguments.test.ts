import { describe, expect, it } from "vitest";
import { createSigner, newPrivateKey } from "../../../src/records/ledger/seal/note-keys.ts";
import { readArguments } from "../../../tools/verify/arguments.ts";

const PRIVATE = await newPrivateKey("ai.example.com/records", new Uint8Array(32));
const { verifierKey: KEY } = await createSigner(PRIVATE);

const local = { remote: false, environment: null, persistTo: undefined };
const none = { keys: [], checkpointFiles: [], asJson: false };

describe("npm run verify reads", () => {
  it.each([
    [[], { place: local, ...none }],
    [["--local"], { place: local, ...none }],
    [
      ["--remote", "--env", "staging"],
      { place: { ...local, remote: true, environment: "staging" }, ...none },
    ],
    [["--persist-to", "state", "--json"], { place: { ...local, persistTo: "state" }, ...none, asJson: true }],
    [["--database", "copy.sqlite"], { place: { file: "copy.sqlite" }, ...none }],
    [
      ["--key", KEY, "--checkpoint", "a", "--key", KEY, "--checkpoint", "b"],
      { place: local, ...none, keys: [KEY, KEY], checkpointFiles: ["a", "b"] },
    ],
  ])("%j", (args, expected) => {
    expect(readArguments(args)).toEqual(expected);
  });

  // A key or a checkpoint that is ignored would leave an auditor with a weaker claim than requested.
  it.each([
    [["--local", "--remote"], "--remote excludes"],
    [["--remote", "--persist-to", "state"], "--remote excludes"],
    [["--database", "a", "--remote"], "--database excludes"],
    [["--database", "a", "--env", "staging"], "--database excludes"],
    [["--database", ""], "requires a file"],
    [["--env", "Staging"], "--env must be"],
    [["--key", ""], "must be a verifier key"],
    [["--key", `${KEY}x`], "must be a verifier key"],
    [["--key", KEY.replace("ai.", "bi.")], "must be a verifier key"],
    [["--key", KEY, "--key", "nonsense"], "must be a verifier key"],
    [["--key"], "--key"],
    [["--keys", KEY], "--keys"],
    [["checkpoint"], "checkpoint"],
  ])("no %j", (args, issue) => {
    expect(readArguments(args)).toContain(issue);
  });

  it("does not repeat a private key that was given instead of the verifier key", () => {
    expect(readArguments(["--key", PRIVATE])).toBe("--key must be the verifier key, not the private key.");
  });
});
