import { describe, expect, it } from "vitest";
import { readEndUser } from "../../../src/gateway/client/end-user.ts";

const read = (body: object, headers: Record<string, string> = {}): string | null =>
  readEndUser(new Headers(headers), body as never);

const CLAUDE = { device_id: "d1", account_uuid: "a1", session_id: "s1" };
const OPEN_WEBUI = { "x-openwebui-user-id": "w1", "x-openwebui-user-email": "w@example.com" };

describe("the end user that a client names", () => {
  it.each<[string, object, Record<string, string>, string | null]>([
    ["OpenAI's user", { user: " alice " }, {}, "alice"],
    ["safety_identifier before user", { user: "old", safety_identifier: "new" }, {}, "new"],
    ["Anthropic's user id", { metadata: { user_id: "u-7" } }, {}, "u-7"],
    ["a user id of OpenAI's metadata, after user", { user: "u", metadata: { user_id: "m" } }, {}, "u"],
    ["Claude Code's account", { metadata: { user_id: JSON.stringify(CLAUDE) } }, {}, "a1"],
    [
      "Claude Code's device, without an account",
      { metadata: { user_id: JSON.stringify({ ...CLAUDE, account_uuid: "" }) } },
      {},
      "d1",
    ],
    [
      "Claude Code's older form",
      { metadata: { user_id: "user_h_account_a_session_s-1" } },
      {},
      "user_h_account_a",
    ],
    // An underscore in the session's id made it a part of the user's.
    ["without a session of any form", { metadata: { user_id: "user_h_session_s_1" } }, {}, "user_h"],
    ["JSON of another client", { metadata: { user_id: '{"id":1}' } }, {}, '{"id":1}'],
    ["Open WebUI's user", {}, OPEN_WEBUI, "w1"],
    ["Open WebUI's e-mail address", {}, { "x-openwebui-user-email": "w@example.com" }, "w@example.com"],
    ["the body before a header", { user: "body" }, OPEN_WEBUI, "body"],
    [
      "a header where the body has no text",
      { user: 7, metadata: "x", safety_identifier: {} },
      OPEN_WEBUI,
      "w1",
    ],
    ["a blank", { user: "  " }, {}, null],
    ["more than 4,096 characters", { user: "x".repeat(4097) }, {}, null],
    ["none", { metadata: null, model: "m" }, {}, null],
  ])("is %s", (_, body, headers, expected) => {
    expect(read(body, headers)).toBe(expected);
  });
});
