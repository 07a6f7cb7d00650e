/** Keys that the emulated provider rejects, by words in them: any other key is accepted. */
import type { IncomingHttpHeaders } from "node:http";
import { anthropicError, openAiError } from "./errors.ts";
import type { Dialect, JsonReply } from "./reply.ts";

/** The help text. */
export const KEY_TABLE = `  …rejected…    401: the key is not valid
  …restricted…  403 for the list of models: the key lacks that permission`;

/** null where the key may do this. */
export function rejectKey(
  { authorization = "", "x-api-key": apiKey = "" }: IncomingHttpHeaders,
  dialect: Dialect,
  path: string,
): JsonReply | null {
  const key = `${authorization} ${String(apiKey)}`;
  if (key.includes("rejected")) return invalidKey(dialect);
  return key.includes("restricted") && path === "/v1/models" ? withoutPermission(dialect) : null;
}

const invalidKey = (dialect: Dialect): JsonReply =>
  dialect === "anthropic"
    ? anthropicError(401, "invalid x-api-key")
    : openAiError(
        401,
        "Incorrect API key provided: sk-***. You can find your API key at https://platform.openai.com/account/api-keys.",
        { code: "invalid_api_key" },
      );

const withoutPermission = (dialect: Dialect): JsonReply =>
  dialect === "anthropic"
    ? anthropicError(403, "Your API key does not have permission to use the specified resource.")
    : openAiError(
        403,
        "You have insufficient permissions for this operation. Missing scopes: api.model.read.",
      );
