/** The table of endpoints: each path's dialect, its required fields and its handler. */
import { createMessage, countMessageTokens } from "./anthropic-messages.ts";
import { createEmbeddings } from "./embeddings.ts";
import type { JsonObject } from "./json.ts";
import { createChatCompletion } from "./openai-chat.ts";
import { createResponse } from "./openai-responses.ts";
import type { Dialect, Reply } from "./reply.ts";

export type Endpoint = {
  readonly dialect: Dialect;
  /** Fields without which the provider responds with 400. */
  readonly required: readonly string[];
  readonly respond: (body: JsonObject, model: string) => Reply;
};

export const ENDPOINTS: Readonly<Record<string, Endpoint>> = {
  "/v1/chat/completions": {
    dialect: "openai",
    required: ["model", "messages"],
    respond: createChatCompletion,
  },
  "/v1/responses": { dialect: "openai", required: ["model", "input"], respond: createResponse },
  "/v1/embeddings": { dialect: "openai", required: ["model", "input"], respond: createEmbeddings },
  "/v1/messages": {
    dialect: "anthropic",
    required: ["model", "max_tokens", "messages"],
    respond: createMessage,
  },
  "/v1/messages/count_tokens": {
    dialect: "anthropic",
    required: ["model", "messages"],
    respond: countMessageTokens,
  },
};
