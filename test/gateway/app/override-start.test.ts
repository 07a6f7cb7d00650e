/** An accepted owner is recorded with the start of the call, so that no call that does not exist is on its account. */
import { describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import {
  AGENTS,
  BODY,
  CENTRAL_CHAT,
  CHAT,
  chatResponse,
  json,
  only,
  OWN_KEY,
  post,
  typesOf,
} from "../../support/in-workerd/calls.ts";
import { openGateway } from "../../support/in-workerd/gateway-harness.ts";
import { CODER_AGENTS_UA, OWNER } from "../../support/in-workerd/values.ts";

const OWNED = { ...AGENTS, "x-coder-owner-id": OWNER };
const UNVERIFIED = { ...OWN_KEY, "user-agent": CODER_AGENTS_UA, "x-coder-owner-id": OWNER };

const form = (model: string): RequestInit => {
  const body = new FormData();
  body.set("model", model);
  body.set("file", new Blob(["x"]), "x.wav");
  return { method: "POST", body, headers: OWNED };
};

const required = (isDown: boolean, groups: (readonly InterceptorEvent[])[]) => ({
  kind: "awaited" as const,
  name: "ledger",
  required: true,
  write: (events: readonly InterceptorEvent[]) => {
    groups.push(events);
    return isDown ? Promise.reject(new Error("down")) : Promise.resolve();
  },
});

describe("an accepted owner", () => {
  it.each([
    ["a JSON body", CENTRAL_CHAT, post(BODY, OWNED), "interception_start"],
    ["a form", "/central/v1/audio/transcriptions", form("whisper-1"), "interception_start"],
    ["a passthrough", "/central/v1/models", { headers: OWNED }, "passthrough_start"],
  ] as const)("is recorded in one group with the start of %s, before it", async (_, path, init, start) => {
    const groups: (readonly InterceptorEvent[])[] = [];
    const gateway = await openGateway({ provider: chatResponse, sinks: [required(false, groups)] });
    const { response } = await gateway.exchange(path, init);
    expect(response.status).toBe(200);
    expect(typesOf(groups[0] ?? []).slice(0, 2)).toEqual(["initiator_override", start]);
    expect(
      groups.flatMap((group) => typesOf(group)).filter((type) => type === "initiator_override"),
    ).toHaveLength(1);
  });

  /*
   * The attack: 400 requests that are no requests, each of which leaves an accepted override on the victim's account for
   * an interception that does not exist.
   */
  it.each([
    ["no JSON", CENTRAL_CHAT, post("{", OWNED), "body_invalid"],
    ["an array", CENTRAL_CHAT, post("[]", OWNED), "body_invalid"],
    ["a repeated field", CENTRAL_CHAT, post('{"model":"a","model":"b"}', OWNED), "field_repeated"],
    ["a field of a wrong type", CENTRAL_CHAT, post('{"model":1}', OWNED), "field_invalid"],
    ["an unknown coding", CENTRAL_CHAT, post(BODY, { ...OWNED, "content-encoding": "x" }), "body_encoded"],
    [
      "a form without a boundary",
      "/central/v1/audio/transcriptions",
      post("x", { ...OWNED, "content-type": "multipart/form-data" }),
      "form_invalid",
    ],
    ["a text of an unverified caller", CHAT, post("no JSON", UNVERIFIED), "body_invalid"],
  ] as const)("Finding H4: is not recorded for a body with %s", async (_, path, init, code) => {
    const gateway = await openGateway({ provider: chatResponse });
    const { events } = await gateway.exchange(path, init);
    expect(typesOf(events)).toEqual(["refusal"]);
    // The refusal names both, so that the attempt is on record.
    expect(only(events, "refusal")).toMatchObject({ reason: code, initiator_id: OWNER });
    expect(only(events, "refusal").actor_id).not.toBeNull();
    expect(gateway.sent).toEqual([]);
  });

  it("stays recorded where a policy refuses the call after its start", async () => {
    const vars = {
      PROVIDERS: { openai: { type: "openai", base_url: "https://api.openai.example/v1", models: ["x"] } },
    };
    const gateway = await openGateway({ provider: chatResponse, vars });
    const { events } = await gateway.exchange(CHAT, post(BODY, UNVERIFIED));
    expect(typesOf(events)).toEqual([
      "initiator_override",
      "interception_start",
      "interception_end",
      "refusal",
    ]);
  });

  it("is not stored without the start where a required sink fails, and nothing is forwarded", async () => {
    const groups: (readonly InterceptorEvent[])[] = [];
    const gateway = await openGateway({ provider: () => json("{}"), sinks: [required(true, groups)] });
    const { response } = await gateway.exchange(CENTRAL_CHAT, post(BODY, OWNED));
    expect(response.status).toBe(503);
    expect(typesOf(groups[0] ?? [])).toEqual(["initiator_override", "interception_start"]);
    expect(gateway.sent).toEqual([]);
  });
});

describe("a rejected owner", () => {
  it("is recorded at once, also where the body is no JSON", async () => {
    const gateway = await openGateway({ provider: chatResponse });
    const { events } = await gateway.exchange(
      CENTRAL_CHAT,
      post("{", { ...OWNED, "x-coder-owner-id": "me" }),
    );
    expect(typesOf(events)).toEqual(["initiator_override_rejected", "refusal"]);
  });
});
