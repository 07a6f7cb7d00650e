/**
 * Content blocks of a Messages answer: tool calls, for the client or run by the provider, and thinking. Receives blocks
 * as they begin, their pieces, or a whole list; hands each on to the answer's content. Redacted thinking, signatures and
 * tools' results are not read, but for what a result says went wrong.
 */
import type { ResponseContent } from "../response-content.ts";
import { toJson, type BoundedText } from "../bounded-text.ts";
import { asObject, type JsonObject } from "../../../shared/json.ts";

export type Blocks = {
  /** What `content_block_start`, `…_delta` and `…_stop` say. */
  readonly start: (block: unknown, index: unknown) => void;
  readonly piece: (delta: unknown, index: unknown) => void;
  readonly stop: (index: unknown) => void;
  /** Whether an event may be a delta or stop of a block that is kept. */
  readonly mayContinue: (data: string) => boolean;
  /** A message's whole content. */
  readonly whole: (list: unknown) => void;
};

const CONTINUES = /"type"\s*:\s*"(?:input_json_delta|thinking_delta|content_block_stop)"/;

/** A block whose text is kept. */
type Open = {
  readonly text: BoundedText;
  /** It began with an empty input: that is what it is called with only if no piece follows. */
  readonly empty: boolean;
  inPieces: boolean;
};

const toIndex = (value: unknown): number | null => (typeof value === "number" ? value : null);

export function messageBlocks(content: ResponseContent): Blocks {
  /** By their index; null for one that has none. */
  const open = new Map<number | null, Open>();

  const start = (value: unknown, index: unknown): void => {
    const block = asObject(value);
    const type = block?.["type"];
    if (!block || typeof type !== "string") return;
    if (type === "thinking") {
      const text = content.thought();
      text?.set(block["thinking"]);
      if (text) open.set(toIndex(index), { text, empty: false, inPieces: true });
    } else if (type === "tool_use" || type.endsWith("_tool_use")) {
      const text = content.call(type, block["id"], block["name"])?.input;
      if (!text) return;
      const input = toJson(block["input"]);
      const empty = input === "{}";
      if (!empty) text.set(input);
      open.set(toIndex(index), { text, empty, inPieces: false });
    } else if (type.endsWith("_tool_result")) {
      content.callWithId(block["tool_use_id"])?.error?.set(errorOf(block));
    }
  };

  const stop = (index: unknown): void => {
    const block = open.get(toIndex(index));
    if (block?.empty && !block.inPieces) block.text.set("{}");
    open.delete(toIndex(index));
  };

  return {
    start,
    piece(value, index) {
      const block = open.get(toIndex(index));
      const delta = asObject(value);
      if (!block || !delta) return;
      const piece = delta["type"] === "thinking_delta" ? delta["thinking"] : delta["partial_json"];
      if (typeof piece !== "string" || piece === "") return;
      if (block.inPieces) block.text.add(piece);
      else block.text.set(piece);
      block.inPieces = true;
    },
    stop,
    mayContinue: (data) => open.size > 0 && CONTINUES.test(data),
    whole(list) {
      for (const block of Array.isArray(list) ? list : []) {
        start(block, null);
        stop(null);
      }
    },
  };
}

/** The code of what went wrong, or where the result itself is an error, its text. */
function errorOf(result: JsonObject): string | null {
  const { content } = result;
  const code = asObject(content)?.["error_code"];
  if (typeof code === "string") return code;
  if (result["is_error"] !== true) return null;
  if (typeof content === "string") return content;
  const texts = (Array.isArray(content) ? content : []).map((part) => asObject(part)?.["text"]);
  return texts.filter((text) => typeof text === "string").join("\n") || null;
}
