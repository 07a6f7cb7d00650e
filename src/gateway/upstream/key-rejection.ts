/** The meaning of a 401 or 403: whether the provider says that a key is not valid for any request. */
import { asObject, parseJson } from "../../shared/json.ts";

/** AI Gateway's own 401, for its token, in its newer and its older form. The provider's key was not tried. */
const OF_AI_GATEWAY = /"AiGatewayError"|"(?:internalC|c)ode"\s*:\s*2009\b/;
/**
 * OpenAI's 401 for a key that may do other things. It has no code, only a message. A caller whose words are quoted there could
 * only keep a key among the valid ones.
 */
const PERMISSION = /missing[\s_]scopes?|insufficient permissions/i;

type ErrorResponse = Pick<Response, "status" | "headers">;

/** `body`: the text of the error response. */
export function saysKeyInvalid({ status, headers }: ErrorResponse, body: string): boolean {
  if (status === 401) return !PERMISSION.test(body) && !isAiGatewayError(body);
  return status === 403 && (AWS_INVALID_KEY.has(awsErrorOf(headers)) || namesInvalidKey(body));
}

/**
 * A signature can be wrong because of its request, and says nothing certain about the key
 * (https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html).
 */
const AWS_INVALID_KEY = new Set([
  "UnrecognizedClientException",
  "ExpiredTokenException",
  "InvalidClientTokenId",
]);

/** AWS's name of the error; empty where there is none. */
export const awsErrorOf = (headers: Headers): string =>
  headers.get("x-amzn-errortype")?.split(":")[0]?.trim() ?? "";

export const isAiGatewayError = (body: string): boolean => OF_AI_GATEWAY.test(body);

/**
 * A 403 is most often about the model or resource of the request, not about the key. Only names of the error count: a message
 * can quote the caller's words, by which one caller would reject the key for all.
 */
function namesInvalidKey(body: string): boolean {
  const outer = asObject(parseJson(body));
  const inner = asObject(outer?.["error"]);
  const names = [inner?.["code"], inner?.["type"], outer?.["code"], outer?.["type"]];
  return names.some((name) => typeof name === "string" && name.length <= MAX_NAME && INVALID_KEY.test(name));
}

const MAX_NAME = 64;
const INVALID = "invalid|incorrect|expired|revoked|disabled|deactivated|suspended|blocked";
const KEY = "key|token|account|credentials?|organization";
/** `invalid_api_key`, `account_deactivated`. */
const INVALID_KEY = new RegExp(
  `^(?:\\w+_)?(?:(?:${INVALID})_(?:\\w+_)?(?:${KEY})|(?:${KEY})_(?:${INVALID}))$`,
  "i",
);
