/** The meaning of a 401 or 403: whether the provider says that a key is not valid for any request. */

/** AI Gateway's own 401, for its token, in its newer and its older form. The provider's key was not tried. */
const OF_AI_GATEWAY = /"AiGatewayError"|"(?:internalC|c)ode"\s*:\s*2009\b/;
/** OpenAI's 401 for a key that may do other things. */
const PERMISSION = /missing scopes|insufficient permissions/i;
/** A 403 is most often about the model or resource of the request, not about the key. */
const INVALID_KEY =
  /\b(?:key|token|account|credential)s?\b[^.]{0,40}\b(?:invalid|incorrect|expired|revoked|disabled|deactivated|suspended|blocked)\b|\b(?:invalid|incorrect|expired|revoked|disabled|deactivated|suspended|blocked)[\s_-]+(?:\w+[\s_-]+){0,2}(?:key|token|account|credential)\b/i;

/** `status`: of an error response. `body`: its text. */
export function saysKeyInvalid(status: number, body: string): boolean {
  if (status === 401) return !PERMISSION.test(body) && !isAiGatewayError(body);
  return status === 403 && INVALID_KEY.test(body);
}

export const isAiGatewayError = (body: string): boolean => OF_AI_GATEWAY.test(body);
