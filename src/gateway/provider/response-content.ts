/**
 * What one answer holds besides its figures: the tool calls and thoughts, counted exactly and kept within bounds.
 * Receives them as a dialect's reader finds them, hands on their part of the report.
 */
import { MAX_THOUGHTS, MAX_TOOL_CALLS, type ResponseReport, type ContentOptions } from "./response-reader.ts";
import { createBoundedTexts, type BoundedText } from "./bounded-text.ts";
import { asName } from "./usage.ts";

/** A tool call that is still being told. */
export type PartialToolCall = {
  id: string | null;
  name: string | null;
  readonly kind: string;
  /** null where inputs are not kept. */
  readonly input: BoundedText | null;
  readonly error: BoundedText | null;
};

export type ResponseContent = {
  /** One more tool call; null where there is only room to count it. */
  readonly call: (kind: string, id: unknown, name: unknown) => PartialToolCall | null;
  readonly callWithId: (id: unknown) => PartialToolCall | null;
  /** One more thought; null where it is only counted. */
  readonly thought: () => BoundedText | null;
  readonly report: () => Pick<ResponseReport, "toolCalls" | "toolCallCount" | "thoughts" | "thoughtCount">;
};

const MAX_NAME = 128;

/** Also a call's id or name that comes later than the call. */
export const callId = (value: unknown): string | null => asName(value);
export const callName = (value: unknown): string | null => asName(value, MAX_NAME);

export function collectContent({ toolInputs, thoughts: keepThoughts }: ContentOptions): ResponseContent {
  const openText = createBoundedTexts();
  const calls: PartialToolCall[] = [];
  const thoughts: BoundedText[] = [];
  let callCount = 0;
  let thoughtCount = 0;

  return {
    call: (kind, id, name) => {
      callCount += 1;
      if (calls.length >= MAX_TOOL_CALLS) return null;
      const call: PartialToolCall = {
        id: callId(id),
        name: callName(name),
        kind: callName(kind) ?? "",
        input: toolInputs ? openText() : null,
        error: toolInputs ? openText() : null,
      };
      calls.push(call);
      return call;
    },
    callWithId: (id) => {
      const wanted = callId(id);
      return wanted === null ? null : (calls.find((call) => call.id === wanted) ?? null);
    },
    thought: () => {
      thoughtCount += 1;
      if (!keepThoughts || thoughts.length >= MAX_THOUGHTS) return null;
      const thought = openText();
      thoughts.push(thought);
      return thought;
    },
    report: () => ({
      toolCalls: calls.map(({ id, name, kind, input, error }) => ({
        id,
        name: name ?? kind,
        kind,
        input: input?.value() ?? null,
        error: error?.value() ?? null,
      })),
      toolCallCount: callCount,
      // One of which no word came, or for which there was no room, is only counted.
      thoughts: thoughts.map((thought) => thought.value() ?? "").filter((thought) => thought !== ""),
      thoughtCount,
    }),
  };
}
