/**
 * The content of one response: its tool calls and thoughts, counted exactly and kept within bounds. A dialect's reader
 * adds them as it reads them, and takes their part of the report from here.
 */
import { MAX_THOUGHTS, MAX_TOOL_CALLS, type ContentOptions, type ContentReport } from "./response-reader.ts";
import { createBoundedTexts, type BoundedText } from "./bounded-text.ts";
import type { ThoughtSource } from "../../events/vocabulary.ts";
import { asName } from "./usage.ts";

/** A tool call whose fields may still arrive. */
export type PartialToolCall = {
  id: string | null;
  name: string | null;
  namespace: string | null;
  readonly kind: string;
  /** null if `ContentOptions` does not keep inputs. */
  readonly input: BoundedText | null;
  readonly error: BoundedText | null;
};

export type ResponseContent = {
  /** Counts a tool call; returns null past `MAX_TOOL_CALLS`. */
  readonly call: (kind: string, id: unknown, name: unknown) => PartialToolCall | null;
  readonly callWithId: (id: unknown) => PartialToolCall | null;
  /** Counts a thought; returns null past `MAX_THOUGHTS` or if thoughts are not kept. */
  readonly thought: (source: ThoughtSource) => BoundedText | null;
  readonly report: () => ContentReport;
};

const MAX_NAME = 128;

/** Bounds a call's id or name; readers also use these for one that arrives after the call. */
export const callId = (value: unknown): string | null => asName(value);
export const callName = (value: unknown): string | null => asName(value, MAX_NAME);

export function collectContent({ toolInputs, thoughts: keepThoughts }: ContentOptions): ResponseContent {
  const openText = createBoundedTexts();
  const calls: PartialToolCall[] = [];
  const thoughts: { readonly text: BoundedText; readonly source: ThoughtSource }[] = [];
  let callCount = 0;
  let thoughtCount = 0;

  return {
    call: (kind, id, name) => {
      callCount += 1;
      if (calls.length >= MAX_TOOL_CALLS) return null;
      const call: PartialToolCall = {
        id: callId(id),
        name: callName(name),
        namespace: null,
        kind: callName(kind) ?? "",
        input: toolInputs ? openText() : null,
        error: toolInputs ? openText() : null,
      };
      calls.push(call);
      return call;
    },
    callWithId: (id) => {
      const bounded = callId(id);
      return bounded === null ? null : (calls.find((call) => call.id === bounded) ?? null);
    },
    thought: (source) => {
      thoughtCount += 1;
      if (!keepThoughts || thoughts.length >= MAX_THOUGHTS) return null;
      const text = openText();
      thoughts.push({ text, source });
      return text;
    },
    report: () => ({
      toolCalls: calls.map(({ id, name, namespace, kind, input, error }) => ({
        id,
        name: name ?? kind,
        kind,
        namespace,
        input: input?.value() ?? null,
        error: error?.value() ?? null,
      })),
      toolCallCount: callCount,
      // A thought without text, or one that did not fit, is only counted.
      thoughts: thoughts
        .map(({ text, source }) => ({ text: text.value() ?? "", source }))
        .filter(({ text }) => text !== ""),
      thoughtCount,
    }),
  };
}
