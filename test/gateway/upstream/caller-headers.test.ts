import { describe, expect, it } from "vitest";
import type { Caller } from "../../../src/events/compose.ts";
import type { Attribution } from "../../../src/events/vocabulary.ts";
import type { AiGateway } from "../../../src/gateway/provider/provider.ts";
import { setCallerHeaders } from "../../../src/gateway/upstream/caller-headers.ts";
import { START } from "../../support/in-workerd/events.ts";
import { openaiProvider, OWNER } from "../../support/in-workerd/values.ts";

const CALLER: Caller = { ...START, initiator_id: OWNER, actor_id: "coder", attribution: "asserted" };
const NO_TOKEN: AiGateway = { token: null, metadata: true };

type Setting = { readonly aiGateway?: AiGateway; readonly actorHeaders?: boolean };

function sentFor(setting: Setting, over: Partial<Caller> = {}, name: string | null = null) {
  const headers = new Headers();
  const named = { caller: { ...CALLER, ...over }, initiatorName: name };
  setCallerHeaders(headers, openaiProvider(setting), named);
  return Object.fromEntries(headers);
}
const metadataOf = (over: Partial<Caller>): string =>
  sentFor({ aiGateway: NO_TOKEN }, over)["cf-aig-metadata"] ?? "";

describe("the metadata for AI Gateway", () => {
  it("names the caller and the record, in the five entries that are stored", () => {
    expect(JSON.parse(metadataOf({ client: "Coder Agents" }))).toEqual({
      initiator: OWNER,
      actor: "coder",
      attribution: "asserted",
      client: "Coder Agents",
      interception_id: CALLER.interception_id,
    });
  });

  // An id could otherwise end the header, or add an entry of its own.
  it.each(['a"},{"initiator":"x', "a\r\ncf-aig-skip-cache: true", "Zoë 日本 🎉", "\u007f\u0080\u2028", "\\"])(
    "is visible ASCII and keeps the value %j",
    (initiator_id) => {
      const metadata = metadataOf({ initiator_id });
      expect(metadata).toMatch(/^[\x20-\x7e]+$/);
      expect(JSON.parse(metadata)).toMatchObject({ initiator: initiator_id, actor: "coder" });
    },
  );

  it("is bounded, also with ids of any length", () => {
    const long = "日".repeat(5000);
    expect(metadataOf({ initiator_id: long, actor_id: long, client: long }).length).toBeLessThan(2600);
  });

  it("is not sent to another upstream, nor where it is off", () => {
    expect(sentFor({})).toEqual({});
    expect(sentFor({ aiGateway: { token: "t", metadata: false } })).toEqual({});
  });
});

describe("Coder's actor headers", () => {
  it("name the initiator, not the service that sends the request, and its user name", () => {
    expect(sentFor({ actorHeaders: true }, {}, "alice")).toEqual({
      "x-ai-bridge-actor-id": OWNER,
      "x-ai-bridge-actor-metadata-username": "alice",
    });
  });

  it.each<readonly [Attribution, boolean]>([
    ["authenticated", true],
    ["signed", true],
    ["asserted", true],
    ["unverified", false],
    ["claimed", false],
  ])("with the attribution %s are sent: %s", (attribution, isSent) => {
    const sent = sentFor({ actorHeaders: true }, { attribution }, "alice");
    expect(Object.keys(sent)).toHaveLength(isSent ? 2 : 0);
  });

  it.each([null, "Zoë", "a\r\nx-evil: 1", "", " a"])("leave out the user name %j", (name) => {
    expect(sentFor({ actorHeaders: true }, {}, name)).toEqual({ "x-ai-bridge-actor-id": OWNER });
  });
});
