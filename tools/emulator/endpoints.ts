/** The table of endpoints: which path speaks which dialect, and what it must be given. */
import { answerMessages, countMessageTokens } from "./anthropic-messages.ts";
import { answerEmbeddings } from "./embeddings.ts";
import type { JsonObject } from "./json.ts";
import { answerChat } from "./openai-chat.ts";
import { answerResponses } from "./openai-responses.ts";
import type { Dialect, Reply } from "./reply.ts";

export type Endpoint = {
  readonly dialect: Dialect;
  /** Fields without which the provider answers 400. */
  readonly required: readonly string[];
  readonly answer: (body: JsonObject, model: string) => Reply;
};

export const ENDPOINTS: Readonly<Record<string, Endpoint>> = {
  "/v1/chat/completions": { dialect: "openai", required: ["model", "messages"], answer: answerChat },
  "/v1/responses": { dialect: "openai", required: ["model", "input"], answer: answerResponses },
  "/v1/embeddings": { dialect: "openai", required: ["model", "input"], answer: answerEmbeddings },
  "/v1/messages": {
    dialect: "anthropic",
    required: ["model", "max_tokens", "messages"],
    answer: answerMessages,
  },
  "/v1/messages/count_tokens": {
    dialect: "anthropic",
    required: ["model", "messages"],
    answer: countMessageTokens,
  },
};
