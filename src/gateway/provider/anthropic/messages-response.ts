/**
 * Reads a response of the Messages API: https://docs.anthropic.com/en/docs/build-with-claude/streaming. Events that
 * cannot change the report are recognized by a pattern and not parsed.
 */
import type { ResponseReader, ContentOptions } from "../response-reader.ts";
import { createContentBlocks } from "./content-blocks.ts";
import { MessagesFields } from "./messages-fields.ts";
import { collectContent } from "../response-content.ts";
import { asObject, parseObject } from "../../../shared/json.ts";

const RELEVANT = /"type"\s*:\s*"(?:message_start|message_delta|message_stop|content_block_start|error)"/;

export function messagesReader(keep: ContentOptions): ResponseReader {
  const content = collectContent(keep);
  const blocks = createContentBlocks(content);
  const fields = new MessagesFields(keep);

  return {
    event(data) {
      if (!RELEVANT.test(data) && !blocks.mayContinue(data)) return;
      const value = parseObject(data);
      if (!value) return;
      switch (value["type"]) {
        case "message_start":
          return fields.read(asObject(value["message"]) ?? {});
        case "content_block_start":
          return blocks.start(value["content_block"], value["index"]);
        case "content_block_delta":
          return blocks.delta(value["delta"], value["index"]);
        case "content_block_stop":
          return blocks.stop(value["index"]);
        case "message_delta":
          return fields.readDelta(value);
        case "message_stop":
          fields.ended = true;
          return;
        case "error":
          return fields.readError(value);
      }
    },
    body(value) {
      fields.ended = true;
      const object = asObject(value);
      if (!object) return;
      if (object["type"] === "error") return fields.readError(object);
      fields.read(object);
      blocks.list(object["content"]);
    },
    report: () => ({ ...fields.report(), ...content.report() }),
  };
}
