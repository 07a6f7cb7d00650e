/**
 * Content blocks of a Messages response: tool calls, for the client or run by the provider, and thinking. Each is added
 * to the response's content. Redacted thinking, signatures and tool results are not read, except for a result's error.
 */
import type { ResponseContent } from "../response-content.ts";
import { toJson, type BoundedText } from "../bounded-text.ts";
import { asObject, type JsonObject } from "../../../shared/json.ts";

export type ContentBlocks = {
  /** Reads a `content_block_start` event's block. */
  readonly start: (block: unknown, index: unknown) => void;
  /** Reads a `content_block_delta` event's delta. */
  readonly delta: (delta: unknown, index: unknown) => void;
  /** Reads a `content_block_stop` event. */
  readonly stop: (index: unknown) => void;
  /** Whether an event may be a delta or stop of a block that is kept. */
  readonly mayContinue: (data: string) => boolean;
  /** Reads the whole content of a message. */
  readonly list: (blocks: unknown) => void;
};

const CONTINUES = /"type"\s*:\s*"(?:input_json_delta|thinking_delta|content_block_stop)"/;

/** A block that has started and whose text is kept. */
type OpenBlock = {
  readonly text: BoundedText;
  /** The field of its deltas. */
  readonly field: "thinking" | "partial_json";
  /** Whether the block started with the input `{}`, which is the call's input only if no delta follows. */
  readonly empty: boolean;
  hasDeltas: boolean;
};

const toIndex = (value: unknown): number | null => (typeof value === "number" ? value : null);

/** The open blocks by index. Some servers omit the index in the start or in what follows, or everywhere. */
class OpenBlocks {
  readonly #blocks = new Map<number | null, OpenBlock>();

  get size(): number {
    return this.#blocks.size;
  }

  open(index: unknown, block: OpenBlock): void {
    this.#blocks.set(toIndex(index), block);
  }

  find(index: unknown): OpenBlock | undefined {
    return this.#blocks.get(this.#keyOf(index));
  }

  close(index: unknown): void {
    const key = this.#keyOf(index);
    const block = this.#blocks.get(key);
    if (block?.empty && !block.hasDeltas) block.text.set("{}");
    this.#blocks.delete(key);
  }

  /** Without indices, the next block ends the one before it. */
  closePrevious(index: unknown): void {
    if (toIndex(index) === null && this.#blocks.has(null)) this.close(null);
  }

  /** A single open block is the one meant, if it or the event has no index. */
  #keyOf(value: unknown): number | null {
    const index = toIndex(value);
    if (this.#blocks.size !== 1 || this.#blocks.has(index)) return index;
    const [only = null] = this.#blocks.keys();
    return index === null || only === null ? only : index;
  }
}

export function createContentBlocks(content: ResponseContent): ContentBlocks {
  const open = new OpenBlocks();

  const start = (value: unknown, index: unknown): void => {
    const block = asObject(value);
    const type = block?.["type"];
    if (!block || typeof type !== "string") return;
    open.closePrevious(index);
    if (type === "thinking") {
      const text = content.thought("thinking");
      text?.set(block["thinking"]);
      if (text) open.open(index, { text, field: "thinking", empty: false, hasDeltas: true });
    } else if (type === "tool_use" || type.endsWith("_tool_use")) {
      const text = content.call(type, block["id"], block["name"])?.input;
      if (!text) return;
      const input = toJson(block["input"]);
      const empty = input === "{}";
      if (!empty) text.set(input);
      open.open(index, { text, field: "partial_json", empty, hasDeltas: false });
    } else if (type.endsWith("_tool_result")) {
      content.callWithId(block["tool_use_id"])?.error?.set(errorOf(block));
    }
  };

  return {
    start,
    delta(value, index) {
      const block = open.find(index);
      const delta = asObject(value);
      if (!block || !delta) return;
      const piece = delta[block.field];
      if (typeof piece !== "string" || piece === "") return;
      if (block.hasDeltas) block.text.add(piece);
      else block.text.set(piece);
      block.hasDeltas = true;
    },
    stop: (index) => open.close(index),
    mayContinue: (data) => open.size > 0 && CONTINUES.test(data),
    list(value) {
      for (const block of Array.isArray(value) ? value : []) {
        start(block, null);
        open.close(null);
      }
    },
  };
}

/** A result's error code, or its text if the result itself is an error; otherwise null. */
function errorOf(result: JsonObject): string | null {
  const { content } = result;
  const code = asObject(content)?.["error_code"];
  if (typeof code === "string") return code;
  if (result["is_error"] !== true) return null;
  if (typeof content === "string") return content;
  const texts = (Array.isArray(content) ? content : []).map((part) => asObject(part)?.["text"]);
  return texts.filter((text) => typeof text === "string").join("\n") || null;
}
