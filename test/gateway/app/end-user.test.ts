/** `RECORDING.end_users`: how the client's word for its own user is recorded. */
import { describe, expect, it } from "vitest";
import { chatResponse, CHAT, only, post } from "../../support/in-workerd/calls.ts";
import { openGateway } from "../../support/in-workerd/gateway-harness.ts";

const KEY = "k-secret-0123456789-abcdefghijklmn";

async function recorded(user: string, RECORDING: object = {}): Promise<string | null> {
  const vars = { RECORDING, END_USER_KEY: KEY };
  const gateway = await openGateway({ vars, provider: chatResponse });
  const { events } = await gateway.exchange(CHAT, post(JSON.stringify({ model: "m", user, messages: [] })));
  expect(new TextDecoder().decode(gateway.sent[0]?.body)).toContain(JSON.stringify(user));
  return only(events, "interception_start").end_user;
}

describe("the end user", () => {
  it("is hashed by default, as `printf %s alice | sha256sum` does", async () => {
    expect(await recorded("alice")).toBe("sha256:2bd806c97f0e00af1a1fc3328fa763a9");
    expect(await recorded("CANARY-alice@example.com")).toMatch(/^sha256:[0-9a-f]{32}$/);
  });

  it("is hashed with the deployment's key where there is one, the same in every record", async () => {
    const options = { end_user_key: "END_USER_KEY" };
    const first = await recorded("alice", options);
    expect(first).toMatch(/^hmac:[0-9a-f]{32}$/);
    expect(await recorded("alice", options)).toBe(first);
    expect(await recorded("bob", options)).not.toBe(first);
  });

  it("is recorded in clear, redacted and bounded, where that is configured", async () => {
    const clear = { end_users: "clear" };
    expect(await recorded("alice@example.com", clear)).toBe("alice@example.com");
    expect(await recorded("sk-proj-qW3eR5tY7uI9oP1aS2dF4gH6", clear)).toBe("[redacted:provider_key]");
    expect(await recorded("x".repeat(1000), clear)).toBe("x".repeat(256));
  });

  it("is not recorded where it is dropped", async () => {
    expect(await recorded("CANARY-alice", { end_users: "dropped" })).toBeNull();
  });

  // The attack: a caller names another user, to act on that user's account.
  it("decides nothing: the actor stays the initiator", async () => {
    const gateway = await openGateway({ provider: chatResponse });
    const body = '{"model":"m","user":"7f3c2a10-1234-4abc-9def-000000000001","messages":[]}';
    const { events } = await gateway.exchange(CHAT, post(body));
    const start = only(events, "interception_start");
    expect([start.initiator_id, start.attribution]).toEqual([start.actor_id, "unverified"]);
  });
});
