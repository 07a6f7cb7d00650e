import { describe, expect, it } from "vitest";
import { readOwner } from "../../src/initiator/owner-assertion.ts";

const OWNER = "7f3c2a10-1234-4abc-9def-000000000001";

describe("the owner header's grammar", () => {
  it("A1 takes a UUID of version 4", () => {
    expect(readOwner(OWNER)).toEqual({ kind: "owner", id: OWNER });
  });
});
