/**
 * The headers of the provider's response that are recorded. The client does not get them all: Cloudflare's network
 * replaces `cf-ray` with its own. The provider's support needs these ids.
 * https://developers.cloudflare.com/fundamentals/reference/http-headers/#response-headers
 */
import type { AiGatewayFacts, ProviderHeaderFacts } from "../../events/compose.ts";
import type { HeaderReader } from "../../shared/http/named-headers.ts";
import type { SecretFinder } from "../../shared/secret-finder.ts";
import { truncate } from "../../shared/text.ts";

export const NO_PROVIDER_HEADERS: ProviderHeaderFacts = {
  requestId: null,
  ray: null,
  encoding: null,
  aiGateway: null,
};

/** By frequency, because each absent one costs a lookup: OpenAI and most others, Anthropic, Azure, Azure, Bedrock. */
const REQUEST_ID_HEADERS = [
  "x-request-id",
  "request-id",
  "apim-request-id",
  "x-ms-request-id",
  "x-amzn-requestid",
];

const MAX_REQUEST_ID = 128;
const MAX_RAY = 64;
const MAX_ENCODING = 32;
const MAX_LOG_ID = 64;
const MAX_CACHE = 16;

/**
 * All are null where one quotes a configured secret: in lower case or cut, it would no longer be recognized. `isAiGateway`: only
 * then do headers of AI Gateway count, because any provider could send them.
 */
export function readProviderHeaders(
  headers: HeaderReader,
  secrets: SecretFinder | null,
  isAiGateway = false,
): ProviderHeaderFacts {
  const requestId = readRequestId(headers);
  const ray = printable(headers.get("cf-ray"), MAX_RAY);
  const encoding = printable(headers.get("content-encoding"), MAX_ENCODING);
  const aiGateway = isAiGateway ? readAiGatewayHeaders(headers) : null;
  const ofGateway = aiGateway === null ? "" : `\n${aiGateway.logId}\n${aiGateway.cache}`;
  const read = `${requestId}\n${ray}\n${encoding}${ofGateway}`;
  const hasSecret = secrets !== null && secrets.findAny(read) !== null;
  return hasSecret ? NO_PROVIDER_HEADERS : { requestId, ray, encoding: toCoding(encoding), aiGateway };
}

/** https://developers.cloudflare.com/ai-gateway/glossary/ */
const readAiGatewayHeaders = (headers: HeaderReader): AiGatewayFacts => ({
  logId: printable(headers.get("cf-aig-log-id"), MAX_LOG_ID),
  cache: printable(headers.get("cf-aig-cache-status"), MAX_CACHE),
});

/** Whether the response is a stored one of AI Gateway, for which no model ran. */
export const isCached = ({ aiGateway }: ProviderHeaderFacts): boolean => aiGateway?.cache === "HIT";

/** The first id that is printable: a header that no provider would send does not hide the next one. */
function readRequestId(headers: HeaderReader): string | null {
  for (const name of REQUEST_ID_HEADERS) {
    const id = printable(headers.get(name), MAX_REQUEST_ID);
    if (id !== null) return id;
  }
  return null;
}

/** `identity` is the encoding that the gateway requested: none. */
function toCoding(encoding: string | null): string | null {
  const coding = encoding?.toLowerCase() ?? null;
  return coding === "identity" ? null : coding;
}

const PRINTABLE = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;

/** The value without surrounding blanks, truncated; null where it is absent, empty or not printable ASCII. */
function printable(value: string | null, max: number): string | null {
  if (value === null) return null;
  const text = value.trim();
  return PRINTABLE.test(text) ? truncate(text, max) : null;
}
