/**
 * Reads a response of the Messages API: https://docs.anthropic.com/en/docs/build-with-claude/streaming. Events that
 * cannot change the report are recognized by a pattern and not parsed.
 */
import type { ResponseReader, ContentOptions } from "../response-reader.ts";
import { createContentBlocks } from "./content-blocks.ts";
import { MessagesFields } from "./messages-fields.ts";
import { findFailure, MAY_HOLD_ERROR } from "../provider-error.ts";
import { collectContent } from "../response-content.ts";
import { asObject, parseJson } from "../../../shared/json.ts";

/** Types of the events that change the report, besides errors and the deltas of an open block. */
const TYPES = ["message_start", "message_delta", "message_stop", "content_block_start"];
/** Also an error, whether or not it has a type. */
const RELEVANT = new RegExp(String.raw`"type"\s*:\s*"(?:${TYPES.join("|")})"|${MAY_HOLD_ERROR}`);

/** Names of the events that `RELEVANT` would miss without a type in their data. */
const NAMES = new Set([...TYPES, "error"]);

export function messagesReader(keep: ContentOptions): ResponseReader {
  const content = collectContent(keep);
  const blocks = createContentBlocks(content);
  const fields = new MessagesFields(keep);

  return {
    event(data, name) {
      const isTyped = !NAMES.has(name) && data.includes('"type"');
      if (isTyped && !RELEVANT.test(data) && !blocks.mayContinue(data)) return;
      const parsed = parseJson(data);
      const value = asObject(parsed);
      if (name === "error") return fields.fail(findFailure(parsed) ?? value ?? data);
      if (!value) return fields.failIfError(parsed);
      // Some servers send the type only as the event's name.
      switch (value["type"] ?? name) {
        case "message_start":
          return fields.read(asObject(value["message"]) ?? {});
        case "content_block_start":
          fields.readBlock(value["content_block"]);
          return blocks.start(value["content_block"], value["index"]);
        case "content_block_delta":
          return blocks.delta(value["delta"], value["index"]);
        case "content_block_stop":
          return blocks.stop(value["index"]);
        case "message_delta":
          return fields.readDelta(value);
        case "message_stop":
          fields.ended = true;
          return fields.readDelta(value);
        default:
          return fields.failIfError(value);
      }
    },
    body(value) {
      fields.ended = true;
      const object = asObject(value);
      fields.failIfError(value);
      if (!object) return;
      fields.read(object);
      const { content: list } = object;
      for (const block of Array.isArray(list) ? list : []) fields.readBlock(block);
      blocks.list(list);
    },
    report: () => ({ ...fields.report(), ...content.report() }),
  };
}
