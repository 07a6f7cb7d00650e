/** Valid default reports, tool calls and observations for tests, as in `values.ts`. */
import type { Observation } from "../../../src/gateway/observation/observe.ts";
import {
  EMPTY_REPORT,
  type ResponseReport,
  type ToolCall,
} from "../../../src/gateway/provider/response-reader.ts";

export function toolCall(over: Partial<ToolCall> = {}): ToolCall {
  return {
    id: "call_1",
    name: "read_file",
    kind: "function",
    namespace: "files",
    input: null,
    error: null,
    ...over,
  };
}

/** The report of a successful response with usage and without tool calls. */
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
      addsUp: true,
      raw: '{"prompt_tokens":38}',
    },
    usageFinal: true,
    ended: true,
    finishReason: "stop",
    ...over,
  };
}

/** The observation of a successful response that was read to its end. */
export function conclusion(over: Partial<Observation> = {}): Observation {
  return {
    outcome: "completed",
    usageState: "final",
    report: report(),
    end: { how: "end", bytes: 100, firstByteAt: 1040, truncated: false },
    sha256: null,
    ...over,
  };
}
