/**
 * The headers by which an upstream learns on whose account a request is made. The gateway alone sets them: `cf-*` and
 * `x-ai-bridge-*` of a client never pass.
 */
import type { Caller } from "../../events/compose.ts";
import type { Attribution } from "../../events/vocabulary.ts";
import { truncate } from "../../shared/text.ts";
import type { Provider } from "../provider/provider.ts";

/** The caller, and the initiator's user name; null where it is not known. */
export type NamedCaller = { readonly caller: Caller; readonly initiatorName: string | null };

/** Sets the headers that the configuration of the provider enables. */
export function setCallerHeaders(
  headers: Headers,
  { aiGateway, actorHeaders }: Provider,
  named: NamedCaller,
): void {
  if (aiGateway?.metadata) headers.set("cf-aig-metadata", aiGatewayMetadata(named.caller));
  if (actorHeaders) setActorHeaders(headers, named);
}

/** The longest id has 96 characters, the longest name of a client fewer. */
const MAX_VALUE = 128;
// oxlint-disable-next-line no-control-regex -- all of ASCII
const NOT_ASCII = /[^\0-\x7e]/g;

/**
 * AI Gateway stores the first five entries, and shows them in its logs.
 * https://developers.cloudflare.com/ai-gateway/observability/custom-metadata/
 */
function aiGatewayMetadata(caller: Caller): string {
  const entries = {
    initiator: truncate(caller.initiator_id, MAX_VALUE),
    actor: truncate(caller.actor_id, MAX_VALUE),
    attribution: caller.attribution,
    client: truncate(caller.client, MAX_VALUE),
    interception_id: caller.interception_id,
  };
  // JSON escapes control characters itself. Other characters than ASCII have no form in a header (RFC 9110 §5.5).
  return JSON.stringify(entries).replace(
    NOT_ASCII,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** The strengths of evidence that name a person. A fingerprint is no one's id, and a claim may be anyone's. */
const EVIDENCE: ReadonlySet<Attribution> = new Set<Attribution>(["authenticated", "signed", "asserted"]);
const PRINTABLE = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;

/**
 * Coder's names (`CODER_AI_GATEWAY_SEND_ACTOR_HEADERS`). Its actor is the user on whose account the request is made: here the
 * initiator, not the service that sends the request.
 */
function setActorHeaders(headers: Headers, { caller, initiatorName }: NamedCaller): void {
  if (!EVIDENCE.has(caller.attribution)) return;
  headers.set("x-ai-bridge-actor-id", caller.initiator_id);
  if (initiatorName !== null && PRINTABLE.test(initiatorName))
    headers.set("x-ai-bridge-actor-metadata-username", initiatorName);
}
