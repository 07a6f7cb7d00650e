/**
 * Answers of the Messages API: https://docs.anthropic.com/en/docs/build-with-claude/streaming. Receives events or the
 * whole message, hands on the report; looks only into events that can tell anything.
 */
import type { ResponseReader, ResponseReport, ContentOptions } from "../response-reader.ts";
import { messageBlocks } from "./content-blocks.ts";
import { collectContent } from "../response-content.ts";
import { NO_ERROR, readProviderError } from "../provider-error.ts";
import { asName, UsageFigures, type Usage } from "../usage.ts";
import { asObject, parseObject, type JsonObject } from "../../../shared/json.ts";

const RELEVANT = /"type"\s*:\s*"(?:message_start|message_delta|message_stop|content_block_start|error)"/;

export function messagesReader(keep: ContentOptions): ResponseReader {
  const content = collectContent(keep);
  const blocks = messageBlocks(content);
  let id: string | null = null;
  let model: string | null = null;
  let usage: Usage | null = null;
  let final = false;
  let ended = false;
  let finishReason: string | null = null;
  let failure = NO_ERROR;

  const take = (message: JsonObject): void => {
    id ??= asName(message["id"]);
    model ??= asName(message["model"]);
    finishReason = asName(message["stop_reason"], 128) ?? finishReason;
    // Figures are cumulative: a later one replaces the earlier, and one that is left out stands.
    const reported = asObject(message["usage"]);
    if (reported) usage = merge(usage, readMessagesUsage(reported));
  };
  const fail = (value: JsonObject): void => {
    failure = readProviderError(value["error"], keep);
  };

  return {
    event(data) {
      if (!RELEVANT.test(data) && !blocks.mayContinue(data)) return;
      const value = parseObject(data);
      if (!value) return;
      switch (value["type"]) {
        case "message_start":
          return take(asObject(value["message"]) ?? {});
        case "content_block_start":
          return blocks.start(value["content_block"], value["index"]);
        case "content_block_delta":
          return blocks.piece(value["delta"], value["index"]);
        case "content_block_stop":
          return blocks.stop(value["index"]);
        case "message_delta":
          take({ usage: value["usage"], stop_reason: asObject(value["delta"])?.["stop_reason"] });
          final = asObject(value["delta"])?.["stop_reason"] != null || final;
          return;
        case "message_stop":
          ended = true;
          return;
        case "error":
          return fail(value);
      }
    },
    body(value) {
      ended = true;
      const object = asObject(value);
      if (!object) return;
      final = true;
      if (object["type"] === "error") return fail(object);
      take(object);
      blocks.whole(object["content"]);
    },
    report: (): ResponseReport => ({
      id,
      model,
      usage,
      usageFinal: usage !== null && (final || ended),
      ended,
      finishReason,
      ...failure,
      ...content.report(),
    }),
  };
}

function readMessagesUsage(from: JsonObject): Usage {
  const figures = new UsageFigures();
  const written = asObject(from["cache_creation"]);
  figures.extra("web_search_requests", asObject(from["server_tool_use"]), "web_search_requests");
  figures.extra("cache_ephemeral_5m_input", written, "ephemeral_5m_input_tokens");
  figures.extra("cache_ephemeral_1h_input", written, "ephemeral_1h_input_tokens");
  return {
    input_tokens: figures.read(from, "input_tokens"),
    output_tokens: figures.read(from, "output_tokens"),
    cache_read_input_tokens: figures.read(from, "cache_read_input_tokens"),
    cache_write_input_tokens: figures.read(from, "cache_creation_input_tokens"),
    extras: figures.extras,
    invalid: figures.invalid,
  };
}

function merge(earlier: Usage | null, later: Usage): Usage {
  if (!earlier) return later;
  return {
    input_tokens: later.input_tokens ?? earlier.input_tokens,
    output_tokens: later.output_tokens ?? earlier.output_tokens,
    cache_read_input_tokens: later.cache_read_input_tokens ?? earlier.cache_read_input_tokens,
    cache_write_input_tokens: later.cache_write_input_tokens ?? earlier.cache_write_input_tokens,
    extras: { ...earlier.extras, ...later.extras },
    invalid: earlier.invalid || later.invalid,
  };
}
