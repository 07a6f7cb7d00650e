/** Chat, subchat and workspace ids pass the same gate as an owner; behind it they are only claimed. */
import { describe, expect, it } from "vitest";
import {
  AGENTS,
  BODY,
  CENTRAL_CHAT,
  CHAT,
  chatResponse,
  CLIENT_KEY,
  only,
  OWN_KEY,
  post,
} from "../../support/in-workerd/calls.ts";
import { openGateway, T0, type Exchange } from "../../support/in-workerd/gateway-harness.ts";
import { EMPTY_REPLAY_CACHE, signed, SIGNING_KEY } from "../../support/in-workerd/signing.ts";
import { CODER_AGENTS_UA, OWNER } from "../../support/in-workerd/values.ts";

const CHAT_ID = "0a0a0a0a-0000-4000-8000-00000000000a";
const WORKSPACE_ID = "0b0b0b0b-0000-4000-8000-00000000000b";
const DELEGATED_WORKSPACE = "0c0c0c0c-0000-4000-8000-00000000000c";
const IDS = { "x-coder-chat-id": CHAT_ID, "x-coder-workspace-id": WORKSPACE_ID };
const IDS_OF = { chat_id: CHAT_ID, workspace_id: WORKSPACE_ID };
const NONE = { chat_id: null, subchat_id: null, workspace_id: null };
const FACTS = { ...NONE, ...IDS_OF, claimed_ids: null };
const CLAIMED = { ...NONE, claimed_ids: IDS_OF };

const SIGNING = { signing_keys: ["SIGNING_KEY"] };
const UNVERIFIED_AGENTS = { ...OWN_KEY, "user-agent": CODER_AGENTS_UA };
const GATEWAY_KEY = "CANARY-gateway-key-of-32-characters";
const DELEGATED = { "x-coder-ai-gateway-key": GATEWAY_KEY };

type Call = {
  readonly assertion?: Record<string, unknown>;
  readonly headers: Record<string, string>;
  readonly path?: string;
  readonly isSigned?: boolean;
};

async function call({
  assertion = {},
  headers,
  path = CENTRAL_CHAT,
  isSigned = false,
}: Call): Promise<Exchange> {
  const gateway = await openGateway({
    provider: chatResponse,
    vars: {
      OWNER_ASSERTION: assertion,
      DELEGATION: { keys: ["GATEWAY_KEY"] },
      GATEWAY_KEY,
      ...("signature" in assertion ? { SIGNING_KEY, NONCES: EMPTY_REPLAY_CACHE } : {}),
    },
  });
  const sent = isSigned ? await signed({ uri: path, body: BODY, at: T0, headers }) : headers;
  return gateway.exchange(path, post(BODY, sent));
}

describe("Coder's ids of a conversation", () => {
  it.each<[string, Call]>([
    ["a verified actor", { headers: { ...AGENTS, ...IDS } }],
    ["a verified actor that names an owner", { headers: { ...AGENTS, ...IDS, "x-coder-owner-id": OWNER } }],
    ["a verified actor with a malformed owner", { headers: { ...AGENTS, ...IDS, "x-coder-owner-id": "me" } }],
    [
      "a listed actor",
      { headers: { ...AGENTS, ...IDS }, assertion: { allow: "listed", actors: ["keys:ci-bot"] } },
    ],
    ["a gateway that delegates", { headers: { ...DELEGATED, ...IDS } }],
    [
      "a signer, where owners must be signed",
      {
        headers: { ...AGENTS, ...IDS, "x-coder-owner-id": OWNER },
        assertion: { ...SIGNING, signature: "require" },
        isSigned: true,
      },
    ],
  ])("of %s are recorded in their own fields, and a chat is the session", async (_, sent) => {
    const { events } = await call(sent);
    for (const type of ["interception_start", "interception_end"] as const)
      expect(only(events, type)).toMatchObject(FACTS);
    const isAgents = sent.headers["user-agent"] === CODER_AGENTS_UA;
    expect(only(events, "interception_start").client_session_id).toBe(isAgents ? CHAT_ID : null);
  });

  /*
   * The attack: an unverified caller, or one with a key that may not name owners, sends the chat and workspace of a victim, and
   * lists, sessions and anomalies then show the call there as a fact.
   */
  it.each<[string, Call]>([
    ["no Coder Agents", { headers: { ...CLIENT_KEY, ...IDS, "user-agent": "curl/8.5.0" } }],
    ["two User-Agents", { headers: { ...CLIENT_KEY, ...IDS, "user-agent": `${CODER_AGENTS_UA}, x/1` } }],
    ["an unverified caller", { headers: { ...UNVERIFIED_AGENTS, ...IDS }, path: CHAT }],
    [
      "an unverified caller that names an owner",
      { headers: { ...UNVERIFIED_AGENTS, ...IDS, "x-coder-owner-id": OWNER }, path: CHAT },
    ],
    ["allow = off", { headers: { ...AGENTS, ...IDS }, assertion: { allow: "off" } }],
    ["an actor that is not listed", { headers: { ...AGENTS, ...IDS }, assertion: { allow: "listed" } }],
    [
      "a delegating gateway under allow = off",
      { headers: { ...DELEGATED, ...IDS }, assertion: { allow: "off" } },
    ],
    [
      "no owner, where owners must be signed",
      { headers: { ...AGENTS, ...IDS }, assertion: { ...SIGNING, signature: "require" } },
    ],
    [
      "a signature of another request",
      {
        headers: {
          ...AGENTS,
          ...IDS,
          "x-coder-owner-id": OWNER,
          "x-coder-signature": `v1=${"0".repeat(64)}`,
          "x-coder-signature-timestamp": String(T0 / 1000),
        },
        assertion: { ...SIGNING, signature: "accept" },
      },
    ],
  ])("Finding M4: with %s they are claimed, and the session is not that chat", async (_, sent) => {
    const { events, response } = await call(sent);
    expect(response.status).toBe(200);
    for (const type of ["interception_start", "interception_end"] as const)
      expect(only(events, type)).toMatchObject({ ...CLAIMED, client_session_id: null });
    for (const event of events.filter(({ record_type }) => record_type.startsWith("initiator_override")))
      expect(event).toMatchObject({ ...CLAIMED, client_session_id: null });
  });

  it("Finding M4: a passthrough of an unverified caller has them as claimed too", async () => {
    const gateway = await openGateway({ provider: chatResponse });
    const { events } = await gateway.exchange("/openai/v1/models", {
      headers: { ...UNVERIFIED_AGENTS, ...IDS },
    });
    for (const type of ["passthrough_start", "passthrough"] as const)
      expect(only(events, type)).toMatchObject({ ...CLAIMED, client_session_id: null });
  });
});

describe("a gateway that delegates", () => {
  const REQUIRE = { ...SIGNING, signature: "require" };
  const OWNED = { ...DELEGATED, ...IDS, "x-coder-owner-id": OWNER };

  /*
   * The attack: a client behind a delegating gateway sends the headers of another user, and the gateway passes them
   * through with its own key. With signed owners, only a request that the signer saw counts.
   */
  it("Finding S2: does not make its client an asserter where owners must be signed", async () => {
    const refused = await call({ headers: OWNED, assertion: REQUIRE });
    expect(refused.response.status).toBe(401);
    expect(only(refused.events, "initiator_override_rejected")).toMatchObject({
      reason: "signature_required",
      ...CLAIMED,
    });
    const { "x-coder-owner-id": _, ...withoutOwner } = OWNED;
    const { events } = await call({ headers: withoutOwner, assertion: REQUIRE });
    expect(only(events, "interception_start")).toMatchObject({ initiator_id: "coder-gateway", ...CLAIMED });
  });

  it("has the workspace that its signature covers, not the one beside it", async () => {
    const headers = { ...OWNED, "x-coder-ai-gateway-workspace-id": DELEGATED_WORKSPACE };
    const { events } = await call({ headers, assertion: REQUIRE, isSigned: true });
    expect(only(events, "interception_start")).toMatchObject({ attribution: "signed", ...FACTS });
    const unsigned = await call({ headers });
    expect(only(unsigned.events, "interception_start")).toMatchObject({
      ...FACTS,
      workspace_id: DELEGATED_WORKSPACE,
    });
  });
});
