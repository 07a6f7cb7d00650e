/**
 * Reads the response of an API without a conversation: embeddings, images, audio, moderation, ranking. A body has the usage
 * beside its data; a stream has it in its last event, whose type ends in `.completed` or `.done`.
 */
import type { ContentOptions, ContentReport, ResponseReader } from "../response-reader.ts";
import { MAY_HOLD_ERROR } from "../provider-error.ts";
import { ChatFields } from "./chat-fields.ts";
import { CHAT_EXTRAS } from "./openai-usage.ts";
import { asObject, parseObject } from "../../../shared/json.ts";

const LAST_EVENT = /"type"\s*:\s*"[\w.]+\.(?:completed|done)"/;
const RELEVANT = new RegExp(`${LAST_EVENT.source}|${MAY_HOLD_ERROR}`);
const NO_CONTENT: ContentReport = { toolCalls: [], toolCallCount: 0, thoughts: [], thoughtCount: 0 };

/** `inputOnly`: the model produces no tokens, so all tokens are input. */
export function modelRunReader(keep: ContentOptions, inputOnly: boolean): ResponseReader {
  const fields = new ChatFields(keep, { extras: CHAT_EXTRAS, inputOnly });
  return {
    event(data, name) {
      if (data.trimEnd() === "[DONE]") {
        fields.done = true;
        return;
      }
      if (name !== "error" && !RELEVANT.test(data)) return;
      const value = parseObject(data);
      if (value) fields.read(value, "event");
      if (name === "error") fields.fail(value ?? data);
      else if (LAST_EVENT.test(data)) fields.done = true;
    },
    body(value) {
      const object = asObject(value);
      if (object) fields.read(object, "body");
      else fields.failIfError(value, "body");
      fields.done = true;
    },
    report: () => ({ ...fields.report(), ...NO_CONTENT }),
  };
}
