/** Splits a complete response into the events of its stream. */
import type OpenAI from "openai";
import { namedEvent, type SseEvent } from "./reply.ts";
import { streamPieces } from "./tokens.ts";

/** The SDK adds `output_text`; the API does not send it. */
export type WireResponse = Omit<OpenAI.Responses.Response, "output_text">;

type Api = OpenAI.Responses.ResponseStreamEvent;
type Item = OpenAI.Responses.ResponseOutputItem;
type Message = OpenAI.Responses.ResponseOutputMessage;
type Reasoning = OpenAI.Responses.ResponseReasoningItem;
type CustomCall = OpenAI.Responses.ResponseCustomToolCall;
type Call = OpenAI.Responses.ResponseFunctionToolCall & { readonly id?: string };

/** An event as the API sends it, without its number, which depends on its position. */
type Unnumbered<E> = E extends { readonly response: unknown }
  ? Omit<E, "sequence_number" | "response"> & { readonly response: WireResponse }
  : Omit<E, "sequence_number">;
type Event = Unnumbered<Api>;

export function responseEvents(complete: WireResponse): readonly SseEvent[] {
  const { usage: _usage, completed_at: _completedAt, ...rest } = complete;
  const start: WireResponse = { ...rest, status: "in_progress", incomplete_details: null, output: [] };
  const end: Event =
    complete.status === "incomplete"
      ? { type: "response.incomplete", response: complete }
      : { type: "response.completed", response: complete };
  const events: Event[] = [
    { type: "response.created", response: start },
    { type: "response.in_progress", response: start },
    ...complete.output.flatMap(itemEvents),
    end,
  ];
  return events.map((event, sequence_number) => namedEvent({ ...event, sequence_number }));
}

function itemEvents(item: Item, output_index: number): readonly Event[] {
  const { added, between } = itemParts(item, output_index);
  return [
    { type: "response.output_item.added", item: added, output_index },
    ...between,
    { type: "response.output_item.done", item, output_index },
  ];
}

function itemParts(item: Item, output_index: number): { added: Item; between: readonly Event[] } {
  switch (item.type) {
    case "message":
      return {
        added: { ...item, status: "in_progress", content: [] },
        between: messageEvents(item, output_index),
      };
    case "reasoning":
      return { added: { ...item, summary: [] }, between: summaryEvents(item, output_index) };
    case "function_call":
      return {
        added: { ...item, status: "in_progress", arguments: "" },
        between: argumentEvents(item, output_index),
      };
    case "custom_tool_call":
      return { added: { ...item, input: "" }, between: inputEvents(item, output_index) };
    default:
      return { added: item, between: [] };
  }
}

function messageEvents(item: Message, output_index: number): readonly Event[] {
  return item.content.flatMap((part, content_index): readonly Event[] => {
    if (part.type !== "output_text") return [];
    const at = { item_id: item.id, output_index, content_index };
    return [
      { type: "response.content_part.added", ...at, part: { ...part, text: "" } },
      ...streamPieces(part.text).map((delta): Event => {
        return { type: "response.output_text.delta", ...at, delta, logprobs: [] };
      }),
      { type: "response.output_text.done", ...at, text: part.text, logprobs: [] },
      { type: "response.content_part.done", ...at, part },
    ];
  });
}

function summaryEvents(item: Reasoning, output_index: number): readonly Event[] {
  return item.summary.flatMap((part, summary_index): readonly Event[] => {
    const at = { item_id: item.id, output_index, summary_index };
    return [
      { type: "response.reasoning_summary_part.added", ...at, part: { ...part, text: "" } },
      ...streamPieces(part.text).map((delta): Event => {
        return { type: "response.reasoning_summary_text.delta", ...at, delta };
      }),
      { type: "response.reasoning_summary_text.done", ...at, text: part.text },
      { type: "response.reasoning_summary_part.done", ...at, part },
    ];
  });
}

function argumentEvents(item: Call, output_index: number): readonly Event[] {
  const at = { item_id: item.id ?? "", output_index };
  const pieces = item.arguments.match(/.{1,8}/gs) ?? [];
  return [
    ...pieces.map((delta): Event => ({ type: "response.function_call_arguments.delta", ...at, delta })),
    { type: "response.function_call_arguments.done", ...at, arguments: item.arguments },
  ];
}

function inputEvents(item: CustomCall, output_index: number): readonly Event[] {
  const at = { item_id: item.id ?? "", output_index };
  const pieces = item.input.match(/.{1,8}/gs) ?? [];
  return [
    ...pieces.map((delta): Event => ({ type: "response.custom_tool_call_input.delta", ...at, delta })),
    { type: "response.custom_tool_call_input.done", ...at, input: item.input },
  ];
}
