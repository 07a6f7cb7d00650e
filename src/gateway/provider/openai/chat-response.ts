/**
 * Reads a response of Chat Completions: https://platform.openai.com/docs/api-reference/chat (objects
 * `chat.completion[.chunk]`). Chunks that cannot change the report are recognized by a pattern and not parsed.
 */
import type { ResponseReader, ResponseReport, ContentOptions } from "../response-reader.ts";
import { collectContent } from "../response-content.ts";
import { ChatFields, choicesOf } from "./chat-fields.ts";
import { CALL_BEGINS, CALL_PIECE, createToolCallReader } from "./chat-tool-calls.ts";
import { MAY_HOLD_ERROR, type FailureSource } from "../provider-error.ts";
import { asObject, parseJson, parseObject, type JsonObject } from "../../../shared/json.ts";

/**
 * Of a stream's hundreds of chunks, only the first and those with `usage`, an `error`, a `finish_reason` or a tool call
 * change the report. The pattern has the last five letters of each key: alternatives of equal length let the regular
 * expression engine skip ahead, which takes less than half the time of matching whole keys.
 */
const RELEVANT = String.raw`usage"\s*:\s*\{|${MAY_HOLD_ERROR}|eason"\s*:\s*"[^"]|`;
const RELEVANT_CHUNK = new RegExp(RELEVANT + CALL_BEGINS);
const RELEVANT_CHUNK_WITH_INPUTS = new RegExp(RELEVANT + CALL_PIECE);

const HAS_CHOICE = /"choices"\s*:\s*\[\s*\{/;
/** Whether an event is a chunk of content. MiniMax reports an error in `base_resp`, perhaps beside choices. */
const isContent = (data: string): boolean =>
  (data.includes('"choices":[{') || HAS_CHOICE.test(data)) && !data.includes('"base_resp"');

export function chatReader(keep: ContentOptions): ResponseReader {
  const content = collectContent(keep);
  const toolCalls = createToolCallReader(content);
  const fields = new ChatFields(keep);
  const relevant = keep.toolInputs ? RELEVANT_CHUNK_WITH_INPUTS : RELEVANT_CHUNK;

  const read = (value: JsonObject, of: FailureSource): void => {
    fields.read(value, of);
    for (const choice of choicesOf(value)) toolCalls.read(choice);
  };

  return {
    event(data, name) {
      if (data.trim() === "[DONE]") {
        fields.done = true;
        return;
      }
      const isChunk = fields.isNamed && name !== "error" && isContent(data);
      if (isChunk && !relevant.test(data) && !toolCalls.mayEnd(data)) return fields.pass();
      const parsed = parseJson(data);
      const value = asObject(parsed);
      if (value) read(value, "event");
      else fields.failIfError(parsed, "event");
      // An error of any other shape, known by the event's name.
      if (name === "error") fields.fail(value ?? data);
    },
    body(value) {
      const object = asObject(value);
      if (object) read(object, "body");
      else fields.failIfError(value, "body");
      fields.done = true;
    },
    report: (): ResponseReport => ({ ...fields.report(), ...content.report() }),
  };
}

/**
 * The members of a usage event beside `choices` and `usage` that repeat what other chunks say, or pad the event. Any other
 * member that is not null is the provider's own message (`timings`, `citations`, `x_groq`), and the event stays.
 */
const COMPANIONS: ReadonlySet<string> = new Set([
  "id",
  "object",
  "created",
  "model",
  "system_fingerprint",
  "service_tier",
  "obfuscation",
  "provider",
]);

/** Whether an SSE event holds nothing but the usage that the gateway requested with the usage opt-in. */
export function isUsageOnly(data: string): boolean {
  if (!data.includes('"usage"')) return false;
  const value = parseObject(data);
  if (!value || asObject(value["usage"]) === null) return false;
  const { choices } = value;
  if (!Array.isArray(choices) || choices.length > 0) return false;
  return Object.entries(value).every(
    ([key, member]) =>
      member === null ||
      key === "usage" ||
      key === "choices" ||
      (COMPANIONS.has(key) && typeof member !== "object"),
  );
}
