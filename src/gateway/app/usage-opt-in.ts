/**
 * The usage opt-in of streams: whether the gateway adds it, and what happens if the provider rejects it. A rejected request
 * ran no model, so it is sent once more, as the client sent it.
 */
import type { UsageOptIn } from "../../events/vocabulary.ts";
import type { Caller } from "../../events/compose.ts";
import { readBounded } from "../../shared/bounded-read.ts";
import { TIMED_OUT, withDeadline } from "../../shared/deadline.ts";
import { contentEncoding } from "../../shared/http/body-headers.ts";
import { plainText } from "../../shared/secret-finder.ts";
import type { TtlCache } from "../../shared/ttl-cache.ts";
import type { BodyEdit } from "../provider/body-edit.ts";
import { setsUsageOption, usageOptionEdit } from "../provider/inject-usage.ts";
import type { ModelCall } from "../provider/model-call.ts";
import type { Api, Provider } from "../provider/provider.ts";

/** The requests whose option was rejected, by provider, model and caller. */
export type RejectedOptIns = TtlCache<true>;

/** How long a provider's rejection is remembered, per isolate. */
const REMEMBERED_MS = 3_600_000;
/** A longer name is not remembered: the client chooses it. */
const MAX_MODEL = 256;

/** The option of one request, at the provider that it is sent to next. `state` changes when the provider rejects it. */
export type OptIn = {
  /** null where the API has no such option, or the request does not stream. */
  state: UsageOptIn | null;
  /** null where the gateway does not add the option, or once the provider has rejected it. */
  injected: Injected | null;
  /** For a request to this provider. */
  readonly plan: (provider: Provider) => void;
};

type Injected = {
  readonly edit: BodyEdit;
  /** Remembers that the provider rejects the option for this model and caller. */
  readonly remember: () => void;
};

type OptInContext = {
  readonly caller: Caller;
  readonly api: Api;
  readonly rejected: RejectedOptIns;
  readonly now: () => number;
};

/** As it stays at any provider, until `plan` is called. */
export function createOptIn(call: ModelCall, { caller, api, rejected, now }: OptInContext): OptIn {
  if (api.isUsageOnly === null || !call.stream) return without(null);
  if (setsUsageOption(call)) return without("client");
  const edit = usageOptionEdit(call);
  if (!edit) return without("skipped");
  const model = call.model ?? "";
  // A caller can bring a rejection about: by an account of its own at the provider, or by an error that quotes its words.
  const { identity_source: source, actor_id: actor, initiator_id: initiator } = caller;
  const optIn: OptIn = {
    ...without("skipped"),
    plan: ({ name, injectUsage }) => {
      const key = [name, source, actor, initiator, model].join("\n");
      const isAdded = injectUsage && rejected.get(key) === null;
      const remember = (): void => {
        if (model.length <= MAX_MODEL) rejected.set(key, true, now() + REMEMBERED_MS);
      };
      optIn.state = isAdded ? "added" : "skipped";
      optIn.injected = isAdded ? { edit, remember } : null;
    },
  };
  return optIn;
}

const without = (state: UsageOptIn | null): OptIn => ({ state, injected: null, plan: () => undefined });

const REJECTING: ReadonlySet<number> = new Set([400, 422]);

/** A rejection is short. A longer error is about something else, and its end is passed on unread. */
const MAX_EXAMINED_BYTES = 64 * 1024;

/**
 * Names the option, or says that some field is not known. The rule may be wide: a client's own error is sent twice at most,
 * and neither attempt runs a model.
 */
const ABOUT_OPTION = new RegExp(
  [
    String.raw`stream[_\s-]?options|include[_\s-]?usage`,
    String.raw`extra (?:inputs?|fields?|propert(?:y|ies))\b[^.]{0,40}\b(?:not|forbidden)`,
    String.raw`additional propert(?:y|ies)`,
    String.raw`(?:unknown|unrecogni[sz]ed|unexpected|unsupported|invalid|undefined)[\s_-]+(?:\w+[\s_-]+)?(?:field|parameter|param|propert(?:y|ies)|argument|attribute|key|name|option)`,
    String.raw`(?:field|parameter|propert(?:y|ies)|argument|key|option)s?\b[^.]{0,60}\bnot (?:supported|allowed|permitted|recogni[sz]ed|known|expected)`,
    "extra_forbidden",
  ].join("|"),
  "gi",
);

/**
 * Whether the provider rejected the option, and the response with all of its bytes still to read. Words that the client's body
 * has do not count: an error may quote them, and without the option the usage of the client's stream would not be known.
 *
 * @param original The client's body.
 * @param idleMs How long the error's body may take.
 */
export async function examineOptIn(
  response: Response,
  original: Uint8Array,
  idleMs: number,
): Promise<{ readonly isRejected: boolean; readonly response: Response }> {
  const { body, status, headers } = response;
  if (!REJECTING.has(status) || body === null || contentEncoding(headers) === "encoded")
    return { isRejected: false, response };
  const [examined, rest] = body.tee();
  const bytes = await withDeadline(
    readBounded(examined, MAX_EXAMINED_BYTES).catch(() => null),
    idleMs,
  );
  if (bytes === TIMED_OUT) examined.cancel().catch(() => undefined);
  const text = bytes === TIMED_OUT || bytes === null ? "" : new TextDecoder().decode(bytes);
  const words = text.match(ABOUT_OPTION) ?? [];
  const clients = words.length === 0 ? "" : plainText(new TextDecoder().decode(original));
  const isRejected = words.some((word) => !clients.includes(word));
  return { isRejected, response: new Response(rest, response) };
}
