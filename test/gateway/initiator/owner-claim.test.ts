import { describe, expect, it } from "vitest";
import { detectFlags } from "../../../src/gateway/initiator/flags.ts";
import { readCoderIds } from "../../../src/gateway/initiator/owner-claim.ts";
import { claim, OWNER } from "../../support/in-workerd/values.ts";

const CHAT = "0a0a0a0a-0000-4000-8000-00000000000a";

const readClaimed = (headers: Record<string, string>) =>
  readCoderIds(claim(headers).sent, null, { isEvidence: false, isSigned: false });

describe("the owner claim", () => {
  it("carries Coder's id headers as the client sent them", () => {
    const padded = `\t${OWNER.toUpperCase()}`;
    expect(claim({ "x-coder-owner-id": "not-a-uuid", "x-coder-chat-id": CHAT }).sent).toEqual({
      owner: "not-a-uuid",
      chat: CHAT,
      subchat: null,
      workspace: null,
    });
    // `Headers` removes the blanks around a value; the case stays.
    expect(claim({ "x-coder-owner-id": padded }).sent.owner).toBe(OWNER.toUpperCase());
  });

  it("does not parse a signature without a well-formed owner", () => {
    const signature = { "x-coder-signature": "malformed" };
    expect(claim(signature).signature.kind).toBe("absent");
    expect(claim({ ...signature, "x-coder-owner-id": "not-a-uuid" }).signature.kind).toBe("absent");
    expect(claim({ ...signature, "x-coder-owner-id": OWNER }).signature.kind).toBe("malformed");
  });

  it("gives the workspace id of a delegating gateway precedence over the client's", () => {
    const { sent } = claim({ "x-coder-chat-id": CHAT, "x-coder-workspace-id": CHAT });
    const delegation = { keyId: "key", source: "agents", workspaceId: OWNER } as never;
    const evidence = { isEvidence: true, isSigned: false };
    expect(readCoderIds(sent, null, evidence)).toMatchObject({ chat_id: CHAT, workspace_id: CHAT });
    expect(readCoderIds(sent, delegation, evidence)).toEqual({
      chat_id: CHAT,
      subchat_id: null,
      workspace_id: OWNER,
      delegated_key_id: "key",
      delegated_source: "agents",
      claimed_ids: null,
    });
    // A signature covers the client's header and not the gateway's.
    const signed = readCoderIds(sent, delegation, { isEvidence: true, isSigned: true });
    expect(signed).toMatchObject({ workspace_id: CHAT, delegated_key_id: "key" });
  });

  it("reads ids that are no evidence as claimed: those that are UUIDs, and null where none is", () => {
    const none = { chat_id: null, subchat_id: null, workspace_id: null };
    const sent = {
      "x-coder-chat-id": CHAT.toUpperCase(),
      "x-coder-subchat-id": "x",
      "x-coder-workspace-id": "",
    };
    expect(readClaimed(sent)).toMatchObject({ ...none, claimed_ids: { chat_id: CHAT } });
    expect(readClaimed({ "x-coder-chat-id": `${CHAT}, ${CHAT}` })).toMatchObject({
      ...none,
      claimed_ids: null,
    });
    expect(readClaimed({})).toMatchObject({ ...none, claimed_ids: null });
  });
});

describe("the flags of a request", () => {
  const ACCEPTED = { rejection: null, acceptedOwner: null };
  const FOR_OWNER = { rejection: null, acceptedOwner: OWNER };

  it("report a rejected owner", () => {
    expect(
      detectFlags(claim({ "x-coder-owner-id": OWNER }), { rejection: "not_permitted", acceptedOwner: null }),
    ).toEqual(["owner_rejected"]);
  });

  it("report Coder Agents without an owner and without a chat", () => {
    const flags = ["coder_agents_without_headers"];
    expect(detectFlags(claim({}), ACCEPTED)).toEqual(flags);
    expect(detectFlags(claim({ "x-coder-owner-id": " ", "x-coder-chat-id": "" }), ACCEPTED)).toEqual(flags);
    expect(detectFlags(claim({ "x-coder-owner-id": OWNER }), ACCEPTED)).toEqual([]);
    expect(detectFlags(claim({ "x-coder-chat-id": CHAT }), ACCEPTED)).toEqual([]);
    // A malformed chat id is dropped from the records: any text would otherwise evade the flag.
    expect(detectFlags(claim({ "x-coder-chat-id": "not-a-chat" }), ACCEPTED)).toEqual(flags);
  });

  // The attack (M10): thousands of owners by one stolen key, each without a chat, so that no anomaly of a chat shows them.
  it.each([{}, { "x-coder-chat-id": "" }, { "x-coder-chat-id": "none" }])(
    "Finding M10: report an accepted owner without the id of a chat: %j",
    (chat) => {
      const headers = { "x-coder-owner-id": OWNER, ...chat };
      expect(detectFlags(claim(headers), FOR_OWNER)).toEqual(["owner_without_chat"]);
      expect(detectFlags(claim(headers, { asserter: { isDelegating: true } }), FOR_OWNER)).toEqual([]);
    },
  );

  it("report no flag for an owner with its chat", () => {
    const headers = { "x-coder-owner-id": OWNER, "x-coder-chat-id": CHAT };
    expect(detectFlags(claim(headers), FOR_OWNER)).toEqual([]);
  });

  it("do not report missing headers of another client, or of a client behind a delegating gateway", () => {
    expect(detectFlags(claim({}, { asserter: { isCoderAgents: false } }), ACCEPTED)).toEqual([]);
    expect(detectFlags(claim({}, { asserter: { isDelegating: true } }), ACCEPTED)).toEqual([]);
  });
});
