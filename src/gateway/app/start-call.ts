/** Reads a model call and records its start. */
import { acceptedOverride, toSubject, type Caller, type PromptHashes } from "../../events/compose.ts";
import type { JsonObject } from "../../shared/json.ts";
import { Refusal } from "../../shared/refusal.ts";
import { bodySessionId, type Client } from "../client/client.ts";
import { readEndUser } from "../client/end-user.ts";
import { readHints } from "../client/hints.ts";
import { readConversation, type Conversation } from "../provider/conversation.ts";
import { readModelCall, type ModelCall } from "../provider/model-call.ts";
import type { JsonBody } from "../provider/json-body.ts";
import { JsonSource } from "../provider/json-source.ts";
import type { Api, ObjectAction, Provider } from "../provider/provider.ts";
import { otherModelsOf, readFigures, type RequestFigures } from "../provider/request-figures.ts";
import { asText } from "../provider/usage.ts";
import type { Forwardable, Outgoing } from "./upstream-call.ts";
import type { RequestDecision } from "./decide.ts";
import { networkOf, type Exchange } from "./exchange.ts";
import { startInterception, type Interception, type InterceptionContext } from "./interception.ts";
import { idsInBody, namedIds } from "./object-owners.ts";
import { hashUserTexts, NO_PROMPT_HASHES } from "./prompt-hashes.ts";
import type { RequestBody } from "./request-body.ts";
import { composeBody } from "./sent-body.ts";
import { createOptIn } from "./usage-opt-in.ts";

/** A model call before its body is read. */
export type Intercepted = Forwardable & { readonly api: Api };

/** The parts of a model call that outlive its reading. Nothing else of it is held while the provider is called. */
export type Started = {
  readonly interception: Interception;
  readonly model: ModelCall["model"];
  readonly outgoing: Outgoing;
  /** The ids of stored objects that the body names, where the provider checks their owners. */
  readonly objects: readonly string[];
  /** How the call uses stored objects, where the provider's configuration has rules for them. */
  readonly uses: readonly ObjectAction[];
  /** Whether another provider could take the call: it uses nothing that this one has stored or will store. */
  readonly isPortable: boolean;
  /** Whether the provider may store the response. */
  readonly isStored: boolean;
  /** Whether the response is requested as a stream. */
  readonly isStream: boolean;
  /** The models that may run in place of the named one or beside it, where the provider's models are limited. */
  readonly otherModels: readonly (string | null)[];
  /** The figures by which the call is reserved, where something is limited. */
  readonly figures: RequestFigures | null;
};

/**
 * Reads and records the call. Everything that scans its body happens here, between two awaits, and keeps no reference to
 * it but in `outgoing`.
 */
export async function startCall(
  exchange: Exchange,
  decided: RequestDecision,
  intercepted: Intercepted,
  body: RequestBody,
): Promise<Started | Refusal> {
  const bytes = await body.take();
  if (bytes instanceof Refusal) return bytes;
  const sentBody = { bytes, encoding: body.decoded(), hash: body.hash };
  const prepared = prepare(exchange, decided, intercepted, sentBody);
  if (prepared instanceof Refusal) return prepared;
  const { context, endUser: sent, promptHashes: hashing, requestSha256: digest, ...started } = prepared;
  const { recorder, deps } = exchange;
  const { redact, price, now, config, toRecordedEndUser } = deps;
  const endUser = sent === null ? null : await toRecordedEndUser(sent);
  const promptHashes = hashing === null ? NO_PROMPT_HASHES : await hashing;
  const requestSha256 = await digest;
  const configVersion = await deps.configVersion;
  const options = { prompts: config.recording.prompts, redact, price, now };
  return {
    ...started,
    interception: startInterception(
      recorder,
      { ...context, endUser, promptHashes, requestSha256, configVersion },
      options,
    ),
  };
}

/** A call as it will be recorded, and what is sent: nothing of its parsed form. */
type Prepared = Omit<Started, "interception"> & {
  readonly context: Omit<InterceptionContext, "endUser" | "promptHashes" | "requestSha256" | "configVersion">;
  /** As the client sent it. */
  readonly endUser: string | null;
  /** null where prompts are not recorded. */
  readonly promptHashes: Promise<PromptHashes> | null;
  readonly requestSha256: Promise<string>;
};

type SentBody = Pick<RequestBody, "hash"> & { readonly bytes: Uint8Array; readonly encoding: string | null };

/** Without `await`: see `startCall`. */
function prepare(
  exchange: Exchange,
  decided: RequestDecision,
  { api, route, caller, ...rest }: Intercepted,
  { bytes, encoding, hash }: SentBody,
): Prepared | Refusal {
  const call = readModelCall(new JsonSource(bytes), api.requestFields, route.pathModel);
  if (call instanceof Refusal) return call;
  const conversation = readConversation(call.body, api.conversation);
  if (conversation instanceof Refusal) return conversation;
  const { headers, deps } = exchange;
  const { rejectedOptIns: rejected, now, redact, config } = deps;
  const figures = deps.budgets === null ? null : readFigures(call, api);
  if (figures instanceof Refusal) return figures;
  const otherModels = route.provider.models === null ? [] : otherModelsOf(call, figures);
  if (otherModels instanceof Refusal) return otherModels;
  const optIn = createOptIn(call, { caller, api, rejected, now });
  optIn.plan(route.provider);
  const intercepted = { ...rest, api, route, caller: withSession(caller, decided.client, call.fields) };
  const isDecoded = encoding !== null;
  const source = { bytes, model: call.body.members.get("model") ?? null };
  // A model in the path is the provider's own name of it.
  const isNamed = route.pathModel === null && call.model !== null;
  const sentModel = isNamed ? (route.provider.modelIds.get(call.model) ?? null) : null;
  return {
    context: toContext(exchange, decided, intercepted, { ...call, conversation, encoding }),
    endUser: readEndUser(headers, call.fields),
    promptHashes: config.recording.prompts ? hashUserTexts(conversation.texts(), redact) : null,
    requestSha256: hash(bytes),
    model: call.model,
    objects: idsInBody({ ...rest, route }, call.body),
    uses: hasRules(route.provider) ? usesOf(call.body) : [],
    isPortable: isNamed && isPortable(exchange, { api, route }, call, figures),
    isStored: call.fields["store"] !== false,
    isStream: call.stream,
    otherModels,
    figures,
    outgoing: {
      body: composeBody(source, { optIn, sentModel }),
      isDecoded,
      optIn,
      source,
      model: call.model,
      sentModel,
      fallbacks: [],
    },
  };
}

function isPortable(
  { deps: { config } }: Exchange,
  { api, route: { provider } }: Pick<Intercepted, "api" | "route">,
  call: ModelCall,
  figures: RequestFigures | null,
): boolean {
  const { fallbacks, dialect } = provider;
  const { body, fields } = call;
  if (fallbacks.length === 0 || usesOf(body).length > 0) return false;
  // Each provider would have to permit these models, and each budget to count them.
  const others = otherModelsOf(call, figures);
  if (others instanceof Refusal || others.length > 0) return false;
  const chain = [provider, ...fallbacks.flatMap((name) => config.providers.get(name) ?? [])];
  const isOwned = api.createsObject === true && fields["store"] !== false;
  if (isOwned && chain.some(({ objects }) => objects.owners !== undefined)) return false;
  return namedIds(body, dialect.toolArguments).length === 0;
}

const hasRules = ({ objects: { read, write } }: Provider): boolean => read !== null || write !== null;

const FALSE = 0x66;
const NULL = 0x6e;

/** A response that is stored on request or is produced later, and stored responses that the call continues from. */
function usesOf({ source: { bytes }, members }: JsonBody): readonly ObjectAction[] {
  const has = (name: string): boolean => {
    const range = members.get(name);
    return range !== undefined && bytes[range.from] !== NULL && bytes[range.from] !== FALSE;
  };
  const uses: ObjectAction[] = has("store") || has("background") ? ["write"] : [];
  return has("previous_response_id") || has("conversation") ? [...uses, "read"] : uses;
}

/** The caller with the session that the body names, where the headers name none. */
function withSession(caller: Caller, client: Client, fields: JsonObject): Caller {
  const session = caller.client_session_id ?? bodySessionId(client, fields);
  return session === caller.client_session_id ? caller : { ...caller, client_session_id: session };
}

export function toContext(
  exchange: Exchange,
  { client, actor, decision, flags, credential }: RequestDecision,
  { route, caller }: Intercepted,
  call: Pick<ModelCall, "model" | "stream"> & {
    readonly conversation: Conversation;
    readonly encoding: string | null;
  },
): Prepared["context"] {
  const { deps, startedAt, headers } = exchange;
  const facts = {
    provider: route.provider.name,
    provider_type: route.provider.dialect.type,
    route: route.route.path,
    model: asText(call.model),
    streaming: call.stream,
    credential_kind: credential.kind,
    credential_hint: credential.hint,
    worker_version: deps.config.workerVersion,
  };
  return {
    subject: toSubject(caller, facts, startedAt),
    override: acceptedOverride(caller, decision, facts.provider, deps.now()),
    actor,
    initiatorName: decision.initiator.name,
    flags,
    conversation: call.conversation,
    hints: readHints(headers),
    clientKind: client.row?.kind ?? null,
    requestEncoding: call.encoding,
    network: networkOf(exchange),
    startedAt,
  };
}
