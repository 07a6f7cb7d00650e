/**
 * OpenAI's APIs that run a model without a conversation: https://platform.openai.com/docs/api-reference. Compatible servers
 * have some of them, and `/rerank`.
 */
import type { ConversationRules } from "../conversation.ts";
import { entryKeys } from "../conversation-entry.ts";
import type { Api, DialectRoute } from "../provider.ts";
import { queuedReader } from "../queued-response.ts";
import { chatReader, isUsageOnly } from "./chat-response.ts";
import { modelRunReader } from "./model-run-response.ts";
import { batchFields, modelRunFields, responsesFields } from "./request-fields.ts";
import { responsesConversation } from "./responses-conversation.ts";
import { responsesReader } from "./responses-response.ts";

const entries = (list: ConversationRules["list"], acceptsText: boolean): ConversationRules => ({
  list,
  acceptsText,
  keys: entryKeys(),
  authorOf: () => null,
  toolCallId: () => null,
  textType: "text",
});
/** The user's text, or a list of texts. */
const PROMPT = entries("prompt", true);
/** Texts to embed, to rank or to check are data, not prompts. */
const NO_PROMPT = entries("messages", false);

const api = (conversation: ConversationRules, inputOnly: boolean): Api => ({
  requestFields: modelRunFields,
  conversation,
  createReader: (keep) => modelRunReader(keep, inputOnly),
  isUsageOnly: null,
  acceptsForms: true,
});
const run = (path: string, conversation: ConversationRules, inputOnly = false): DialectRoute => ({
  kind: "intercept",
  path,
  api: api(conversation, inputOnly),
});

export const MODEL_RUNS: readonly DialectRoute[] = [
  {
    kind: "intercept",
    path: "/completions",
    api: {
      ...api(PROMPT, false),
      outputLimits: ["max_tokens"],
      createReader: chatReader,
      isUsageOnly,
      acceptsForms: false,
    },
  },
  {
    kind: "intercept",
    path: "/responses/compact",
    api: {
      requestFields: responsesFields,
      conversation: responsesConversation,
      outputLimits: ["max_output_tokens"],
      createReader: responsesReader,
      createsObject: true,
      isUsageOnly: null,
    },
  },
  run("/embeddings", NO_PROMPT, true),
  run("/moderations", NO_PROMPT, true),
  run("/rerank", NO_PROMPT, true),
  run("/images/generations", PROMPT),
  run("/images/edits", PROMPT),
  run("/images/variations", NO_PROMPT),
  run("/audio/speech", NO_PROMPT),
  run("/audio/transcriptions", NO_PROMPT),
  run("/audio/translations", NO_PROMPT),
];

/** A batch: its requests are in a file. https://platform.openai.com/docs/api-reference/batch */
export const BATCH: Api = {
  requestFields: batchFields,
  conversation: NO_PROMPT,
  createReader: queuedReader,
  createsObject: true,
  isUsageOnly: null,
  isUnread: true,
};
