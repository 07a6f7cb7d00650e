/** The headers of a request that hold for one body, or for one caller. */
import { describe, expect, it } from "vitest";
import { sha256Hex } from "../../../src/shared/digest.ts";
import {
  BODY,
  CHAT,
  CENTRAL_CHAT,
  chatResponse,
  CLIENT_KEY,
  json,
  OWN_KEY,
  post,
  STREAM_BODY,
} from "../../support/in-workerd/calls.ts";
import { CANARIES, openGateway } from "../../support/in-workerd/gateway-harness.ts";
import { OWNER, CODER_AGENTS_UA } from "../../support/in-workerd/values.ts";

const MALLORY = { authorization: "Bearer aei_mallory-client-key-0123456789" };
const keys = async () => ({
  CLIENT_KEYS: JSON.stringify([
    { sha256: await sha256Hex(CANARIES.clientKey), actor: "alice", kind: "service" },
    { sha256: await sha256Hex(MALLORY.authorization.slice(7)), actor: "mallory", kind: "service" },
  ]),
});

/** The idempotency keys that the provider receives for these requests. */
async function sentKeys(
  path: string,
  requests: readonly Record<string, string>[],
  vars: Record<string, unknown> = {},
): Promise<(string | null)[]> {
  const gateway = await openGateway({ vars: { ...(await keys()), ...vars }, provider: chatResponse });
  for (const headers of requests) await gateway.exchange(path, post(BODY, headers));
  return gateway.sent.map(
    ({ headers }) => headers.get("idempotency-key") ?? headers.get("x-idempotency-key"),
  );
}

describe("an idempotency key", () => {
  // The attack: mallory sends the Idempotency-Key of alice's request. The provider keeps responses per provider key,
  // which both share, and returns alice's.
  it("Finding M17: of two callers is never equal beside a central key, and of a retry always", async () => {
    const key = { "idempotency-key": "stainless-node-retry-1" };
    const [alice, retry, mallory, other] = await sentKeys(CENTRAL_CHAT, [
      { ...CLIENT_KEY, ...key },
      { ...CLIENT_KEY, ...key },
      { ...MALLORY, ...key },
      { ...CLIENT_KEY, "idempotency-key": "another" },
    ]);
    expect(alice).toMatch(/^[0-9a-f]{64}$/);
    expect(retry).toBe(alice);
    expect(new Set([alice, mallory, other]).size).toBe(3);
  });

  it("Finding M17: of two initiators of one actor is not equal", async () => {
    const key = { ...CLIENT_KEY, "idempotency-key": "k", "user-agent": CODER_AGENTS_UA };
    const [own, owner] = await sentKeys(CENTRAL_CHAT, [key, { ...key, "x-coder-owner-id": OWNER }]);
    expect(own).not.toBe(owner);
  });

  it("Finding M17: is scoped under another name too", async () => {
    const providers = {
      central: {
        type: "openai",
        base_url: "https://central.example/v1",
        keys: ["CENTRAL_KEY"],
        forward_headers: ["x-idempotency-key"],
      },
    };
    const key = { "x-idempotency-key": "k" };
    const sent = await sentKeys(
      CENTRAL_CHAT,
      [
        { ...CLIENT_KEY, ...key },
        { ...MALLORY, ...key },
      ],
      {
        PROVIDERS: providers,
      },
    );
    expect(new Set([...sent, "k"]).size).toBe(3);
  });

  it("Finding M17: stays as it is beside the client's own key", async () => {
    expect(await sentKeys(CHAT, [{ ...OWN_KEY, "idempotency-key": "k" }])).toEqual(["k"]);
  });
});

describe("the digests of a request's body", () => {
  const DIGESTS = {
    "content-digest": "sha-256=:AAAA=:",
    "repr-digest": "sha-256=:AAAA=:",
    digest: "sha-256=AAAA",
    "content-md5": "AAAA",
  };
  const sentDigests = async (body: string): Promise<string[][]> => {
    let calls = 0;
    const gateway = await openGateway({
      // The first attempt has the usage opt-in, which the provider rejects; the second has the client's own body.
      provider: () =>
        calls++ === 0 ? json('{"error":"stream_options is not supported"}', { status: 400 }) : chatResponse(),
    });
    await gateway.exchange(CHAT, post(body, { ...OWN_KEY, ...DIGESTS }));
    return gateway.sent.map(({ headers }) => Object.keys(DIGESTS).filter((name) => headers.has(name)));
  };

  it("Finding M17: are dropped beside a body with the usage opt-in, and kept beside the client's own", async () => {
    expect(await sentDigests(STREAM_BODY)).toEqual([[], Object.keys(DIGESTS)]);
    expect(await sentDigests(BODY)).toEqual([Object.keys(DIGESTS)]);
  });
});
