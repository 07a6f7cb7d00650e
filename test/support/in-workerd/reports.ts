/** What an answer told and how it ended, as tests start from it. Whole, valid values, as in `values.ts`. */
import type { Observation } from "../../../src/gateway/observation/observe.ts";
import {
  EMPTY_REPORT,
  type ResponseReport,
  type ToolCall,
} from "../../../src/gateway/provider/response-reader.ts";

export function toolCall(over: Partial<ToolCall> = {}): ToolCall {
  return { id: "call_1", name: "read_file", kind: "function", input: null, error: null, ...over };
}

/** What a good answer told that reported its usage and called no tool. */
export function report(over: Partial<ResponseReport> = {}): ResponseReport {
  return {
    ...EMPTY_REPORT,
    id: "chatcmpl-1",
    model: "gpt-4o-2024-08-06",
    usage: {
      input_tokens: 20,
      output_tokens: 12,
      cache_read_input_tokens: 10,
      cache_write_input_tokens: null,
      extras: { completion_reasoning: 5 },
      invalid: false,
    },
    usageFinal: true,
    ended: true,
    finishReason: "stop",
    ...over,
  };
}

/** A good answer that was seen to its end. */
export function conclusion(over: Partial<Observation> = {}): Observation {
  return {
    outcome: "completed",
    usageState: "final",
    report: report(),
    end: { how: "end", bytes: 100, firstByteAt: 1040, truncated: false },
    ...over,
  };
}
