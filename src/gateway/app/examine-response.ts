/** The provider's response to one attempt, before the client may get it: its headers are read, and an error is searched for secrets. */
import { NamedHeaders } from "../../shared/http/named-headers.ts";
import { Refusal, type RefusalCode } from "../../shared/refusal.ts";
import { edgeErrorOf, isBlockPage } from "../observation/edge-error.ts";
import { CLIENT_DISCONNECTED } from "../upstream/forward.ts";
import { saysKeyInvalid } from "../upstream/key-rejection.ts";
import { rejectKeyLeak } from "../upstream/key-leak.ts";
import { NO_PROVIDER_HEADERS, readProviderHeaders } from "../upstream/provider-headers.ts";
import type { Forwardable, UpstreamResult } from "./upstream-call.ts";
import type { Exchange } from "./exchange.ts";
import { checkSearchable, reportLeak } from "./secret-leak.ts";

/** Without a promise where there is no error: most responses wait for nothing here. */
export function examineResponse(
  exchange: Exchange,
  forwardable: Forwardable,
  response: UpstreamResult["response"],
  abort: AbortController,
): UpstreamResult | Promise<UpstreamResult> {
  const { secrets } = exchange.deps;
  if (!(response instanceof Response)) {
    const isUnsent = response instanceof Refusal && UNSENT.has(response.code);
    const isGone = isUnsent && abort.signal.aborted;
    return {
      response: isGone ? CLIENT_DISCONNECTED : response,
      providerHeaders: NO_PROVIDER_HEADERS,
      isUnsent,
    };
  }
  const received = new NamedHeaders(response.headers);
  const providerHeaders = readProviderHeaders(
    received,
    secrets,
    forwardable.route.provider.aiGateway !== null,
  );
  if (secrets === null) return { response, providerHeaders, received };
  if (response.status < 400)
    return { response: checkSearchable(response, received, forwardable, abort), providerHeaders, received };
  return examineError(exchange, forwardable, { response, providerHeaders, abort });
}

/** Refusals of a request that could not be authorized. */
const UNSENT: ReadonlySet<RefusalCode> = new Set<RefusalCode>([
  "upstream_token_unavailable",
  "upload_not_signed",
]);

type ReceivedError = Pick<UpstreamResult, "providerHeaders"> & {
  readonly response: Response;
  readonly abort: AbortController;
};

async function examineError(
  exchange: Exchange,
  forwardable: Forwardable,
  { response, providerHeaders, abort }: ReceivedError,
): Promise<UpstreamResult> {
  const { clean, isKeyInvalid } = await checkError(exchange, forwardable, response, abort);
  const isGone = !(clean instanceof Response) && exchange.connection.isGone();
  return { response: isGone ? CLIENT_DISCONNECTED : clean, providerHeaders, isKeyInvalid };
}

type CheckedError = { readonly clean: Response | Refusal; readonly isKeyInvalid: boolean };

/**
 * The error response, searched for every secret. Where the provider rejects the key, the response would tell the
 * user that the user's own key is wrong: it is refused as `upstream_key_rejected`.
 */
async function checkError(
  exchange: Exchange,
  forwardable: Forwardable,
  response: Response,
  abort: AbortController,
): Promise<CheckedError> {
  const { secrets, config } = exchange.deps;
  const quotes = (text: string, where: "header" | "body"): boolean => {
    const secret = secrets?.findAny(text) ?? null;
    if (secret !== null) reportLeak(exchange, forwardable, secret, where);
    return secret !== null;
  };
  const clean = await rejectKeyLeak(response, quotes, abort, config.limits.idleMs);
  const isCentral = forwardable.credential.kind === "centralized";
  const { status } = response;
  const isKeyInvalid = status === 401;
  if (clean instanceof Refusal)
    return { clean, isKeyInvalid: isKeyInvalid && clean.code === "upstream_key_rejected" };
  if (!isCentral || (status !== 401 && status !== 403)) return { clean, isKeyInvalid: false };
  // Pages of a network in front of the provider, and OpenRouter's 403 for a flagged input, say nothing about the key.
  const body = await clean.clone().text();
  const isOther =
    edgeErrorOf(clean.status, clean.headers) !== null || isBlockPage(body) || FLAGGED.test(body);
  if (isOther) return { clean, isKeyInvalid: false };
  const refusal = new Refusal("upstream_key_rejected", { detail: `status ${status}` });
  return { clean: refusal, isKeyInvalid: saysKeyInvalid(clean, body) };
}

const FLAGGED = /"(?:flagged_input|reasons)"\s*:/;
