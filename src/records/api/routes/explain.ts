/**
 * POST /explain: what would become of a request, and why. Asks the app, which judges it as one that was sent; tells who,
 * by which rule and with which kind of key, never a key, a credential or anything else that stood in a header.
 */
import type { Credential, Secret } from "../../../gateway/identity/credential.ts";
import { Refusal } from "../../../shared/refusal.ts";
import type { Explanation } from "../contract.ts";
import { EXPLAIN_INPUT, readExplainInput } from "../explain-input.ts";
import { endpoint } from "../kit/endpoint.ts";
import * as schema from "../../../shared/json-schema.ts";

const TEXT_OR_NULL = schema.orNull(schema.TEXT);
const word = (words: readonly string[]): schema.Schema => ({ ...schema.TEXT, enum: words });

const PRESENTED = schema.orNull(
  schema.withDescription(
    schema.object({ header: schema.TEXT, key_id: schema.TEXT }),
    "A credential, by its id.",
  ),
);

const ANSWER = schema.object({
  destination: schema.withDescription(
    word(["provider", "api", "base", "not_found"]),
    "Where the path leads. Only what leads to a provider is judged further.",
  ),
  route: schema.orNull(
    schema.object({
      provider: schema.TEXT,
      provider_type: schema.TEXT,
      route: schema.TEXT,
      kind: word(["intercept", "passthrough"]),
    }),
  ),
  client: TEXT_OR_NULL,
  presented: schema.orNull(
    schema.withDescription(
      schema.object({ identity: PRESENTED, assertion: PRESENTED, own: PRESENTED }),
      "What says who is calling, what Cloudflare Access says of it, and the client's own provider key.",
    ),
  ),
  delegation: word(["off", "absent", "rejected", "accepted"]),
  actor: schema.orNull(
    schema.object({
      id: schema.TEXT,
      kind: schema.TEXT,
      name: TEXT_OR_NULL,
      source: schema.TEXT,
      verified: schema.FLAG,
      key_id: schema.TEXT,
      may_assert: schema.withDescription(
        schema.orNull(schema.FLAG),
        "What its credential says of that; null: nothing.",
      ),
    }),
  ),
  initiator: schema.orNull(schema.object({ id: schema.TEXT, name: TEXT_OR_NULL, attribution: schema.TEXT })),
  rule: schema.withDescription(TEXT_OR_NULL, "What gave the right to assert an owner, or denied it."),
  signature: schema.withDescription(
    TEXT_OR_NULL,
    "`valid`, `absent`, `off`, or what is wrong; null: not looked at.",
  ),
  directory: schema.withDescription(
    TEXT_OR_NULL,
    "What the directory says of the owner, or `off`; null: not asked.",
  ),
  candidates: schema.list(
    schema.object({ who: word(["owner", "actor"]), id: TEXT_OR_NULL, rejection_reason: TEXT_OR_NULL }),
  ),
  undecided: schema.withDescription(
    { ...TEXT_OR_NULL, enum: ["signature", null] },
    "What cannot be judged as the body is not known: send `body_sha256`.",
  ),
  upstream_key: schema.orNull(
    schema.withDescription(
      schema.object({ kind: word(["centralized", "byok"]), header: schema.TEXT, key_id: TEXT_OR_NULL }),
      "What the provider would get. The id is a client's own key's; which central key it is is drawn.",
    ),
  ),
  flags: schema.list(schema.TEXT),
  refusal: schema.orNull(
    schema.object({
      reason: schema.TEXT,
      status: schema.COUNT,
      message: schema.TEXT,
      detail: schema.withDescription(TEXT_OR_NULL, "For the operator: no caller is told."),
    }),
  ),
});

export const explain = endpoint({
  path: "/explain",
  summary: "What would become of a request, and why",
  description:
    "Judges a request that is only described as one that was sent: by its method, path and headers. Nothing is forwarded and nothing recorded. What its body holds is not known here, nor whether a signature has counted before.",
  filters: {},
  parameters: {},
  body: EXPLAIN_INPUT,
  response: ANSWER,
  handle: async (_values, _matches, { body, explain: judge }) => {
    const described = readExplainInput(body);
    if (described instanceof Refusal) return described;
    return { body: toAnswer(await judge(described)) };
  },
});

function toAnswer(judgement: Explanation): object {
  const { destination: place, route, client, presented, actor } = judgement;
  return {
    destination: place,
    route: route && {
      provider: route.provider.name,
      provider_type: route.provider.dialect.type,
      route: route.route.path,
      kind: route.route.kind,
    },
    client: client && client.name,
    presented: presented && toPresented(presented),
    delegation: delegationOf(judgement),
    actor: actor && {
      id: actor.id,
      kind: actor.kind,
      name: actor.name,
      source: actor.source,
      verified: actor.verified,
      key_id: actor.keyId,
      may_assert: actor.mayAssert,
    },
    ...toDecision(judgement),
    upstream_key: toKey(judgement),
  };
}

/** While the signature is undecided, so is all that follows from it. */
function toDecision({ decision, flags, refusal }: Explanation): object {
  const undecided = decision?.needs === "signature" ? "signature" : null;
  const { rule = null, signature = null, directory = null, candidates = [] } = decision?.trace ?? {};
  const initiator = decision && !undecided ? decision.initiator : null;
  const { code: reason, status, message, data } = refusal ?? {};
  return {
    initiator: initiator && {
      id: initiator.id,
      name: initiator.name,
      attribution: initiator.attribution,
    },
    rule,
    signature,
    directory,
    candidates: undecided ? [] : candidates,
    undecided,
    flags: undecided ? [] : flags,
    refusal: refusal && !undecided ? { reason, status, message, detail: data?.detail ?? null } : null,
  };
}

function delegationOf({ delegates, delegation, refusal }: Explanation): string {
  if (!delegates) return "off";
  if (delegation) return "accepted";
  return refusal?.code === "delegation_rejected" ? "rejected" : "absent";
}

function toPresented({ identity, assertion, ownKey: own }: Credential): object {
  return { identity: named(identity), assertion: named(assertion), own: named(own) };
}

const named = (secret: Secret | null): object | null =>
  secret && { header: secret.from, key_id: keyId(secret) };

/** As `api_key_id` has it in the records. */
const keyId = ({ sha256 }: Secret): string => sha256.slice(0, 16);

function toKey({ credential, presented }: Explanation): object | null {
  if (!credential) return null;
  const { kind, header } = credential;
  const own = kind === "byok" ? presented?.ownKey : null;
  return { kind, header: header[0], key_id: own ? keyId(own) : null };
}
