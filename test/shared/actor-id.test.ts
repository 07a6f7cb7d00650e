import { describe, expect, it } from "vitest";
import { readActorId, readName, readUserId } from "../../src/shared/actor-id.ts";
import { OWNER } from "../support/in-workerd/values.ts";

describe("readActorId", () => {
  it.each([
    "a",
    "ci-bot",
    "CI-Bot",
    "a:b",
    "alice@example.com",
    "0._:@-",
    "a".repeat(96),
    "bring:x",
    "repo:acme/app:ref:refs/heads/main",
  ])("accepts %s unchanged", (id) => {
    expect(readActorId(id)).toBe(id);
  });

  it("returns a UUID in lower case", () => {
    expect(readActorId(OWNER.toUpperCase())).toBe(OWNER);
  });

  it.each(["", "-a", ".a", "a b", "a\n", "é", "/a", "a\\b", "a?b", "a".repeat(97), 7, null, ["a"]])(
    "rejects %j",
    (id) => {
      expect(readActorId(id)).toBeNull();
    },
  );

  // The attack: an id in the form of a fingerprint would be on another caller's account.
  it.each(["byok:0123456789abcdef", "BYOK:x", "byok:"])("rejects %j, the form of a fingerprint", (id) => {
    expect(readActorId(id)).toBeNull();
  });
});

describe("readUserId", () => {
  it("returns a version 4 UUID in lower case", () => {
    expect(readUserId(OWNER.toUpperCase())).toBe(OWNER);
  });

  it.each([
    "7f3c2a10-1234-7abc-9def-000000000001",
    "7f3c2a10-1234-4abc-cdef-000000000001",
    "7f3c2a10-1234-4abc-9def-00000000001",
    "alice",
    7,
    null,
  ])("rejects %j", (id) => {
    expect(readUserId(id)).toBeNull();
  });
});

describe("readName", () => {
  it.each(["alice", "Grüße 東京", "x".repeat(200)])("accepts %j", (name) => {
    expect(readName(name)).toBe(name);
  });

  it.each(["", " \n", "x".repeat(201), 7, null])("rejects %j", (name) => {
    expect(readName(name)).toBeNull();
  });
});
