/**
 * The expected rows of an exchange, column by column, from the report of its response (`test/fixtures/…/report.json`).
 * Other tests hold the report against the response's bytes; these rows show which of its fields are stored, and where.
 */
import type { ResponseReport } from "../../../src/gateway/provider/response-reader.ts";
import type { Row, Rows } from "./ledger-database.ts";
import { interceptionRow, promptRow, tables, thoughtRow, toolRow } from "./row-values.ts";

export type RecordedExchange = {
  readonly report: ResponseReport;
  readonly status: number;
  readonly bytes: number;
  /** The columns that depend on the request. */
  readonly requestColumns: Row;
  readonly streaming: boolean;
  /** null: the request has no prompt. */
  readonly prompt: string | null;
  /** The tool call whose result the request carries. */
  readonly resultOf: string | null;
};

/** `content`: whether all content is recorded, or not any. */
export function expectedRows(exchange: RecordedExchange, content: boolean): Rows {
  const { report, prompt } = exchange;
  const { id } = report;
  return tables({
    interceptions: [interceptionOf(exchange, content)],
    user_prompts: content && prompt !== null ? [promptRow({ prompt })] : [],
    tool_usages: report.toolCalls.map((call, position) =>
      toolRow({
        position,
        provider_response_id: id,
        provider_tool_call_id: call.id,
        tool: call.name,
        input: content ? call.input : null,
        invocation_error: content ? call.error : null,
        metadata: JSON.stringify({
          kind: call.kind,
          ...(call.namespace === null ? {} : { namespace: call.namespace }),
        }),
      }),
    ),
    model_thoughts: content
      ? report.thoughts.map((thought, position) =>
          thoughtRow({
            position,
            provider_response_id: id,
            content: thought.text,
            metadata: JSON.stringify({ source: thought.source }),
          }),
        )
      : [],
  });
}

/** One search of the web, one of files, and code that ran for a time that the response does not state. */
function hostedCosts({ toolCalls, usage }: ResponseReport): Row {
  if (!toolCalls.some(({ kind }) => kind === "code_interpreter_call")) return {};
  const tokens = Number(usage?.input_tokens) * 1.75 + Number(usage?.output_tokens) * 14;
  const cached = Number(usage?.cache_read_input_tokens) * 0.175;
  return { cost_micros: Math.ceil(tokens + cached) + 10_000 + 2500, cost_source: "partial" };
}

function interceptionOf(exchange: RecordedExchange, content: boolean): Row {
  const { report, status, bytes, requestColumns, streaming, prompt, resultOf } = exchange;
  return interceptionRow({
    ...requestColumns,
    streaming: streaming ? 1 : 0,
    correlating_tool_call_id: resultOf,
    prompt_count: prompt === null ? 0 : 1,
    // Where the request adds none, its prompt stands before the assistant's turn.
    earlier_prompt_count: prompt === null ? 1 : 0,
    outcome: outcomeOf(report, status),
    status,
    finish_reason: report.finishReason,
    error: errorOf(report, status),
    error_message: content ? report.errorMessage : null,
    own_key_rejected: status === 401 ? 1 : 0,
    usage: usageOf(report),
    usage_invalid: report.usage?.invalid ? 1 : 0,
    ...figuresOf(report),
    provider_response_id: report.id,
    response_model: report.model,
    service_tier: report.serviceTier,
    speed: report.speed,
    inference_geo: report.inferenceGeo,
    reported_cost: report.reportedCost,
    ...hostedCosts(report),
    response_bytes: bytes,
    tool_call_count: report.toolCallCount,
    thought_count: report.thoughtCount,
  });
}

/** Unknown usage is null, never 0. */
function figuresOf(report: ResponseReport): Row {
  const { usage } = report;
  if (usage === null || usageOf(report) === "unknown") return {};
  return {
    input_tokens: usage.input_tokens,
    output_tokens: usage.output_tokens,
    cache_read_input_tokens: usage.cache_read_input_tokens,
    cache_write_input_tokens: usage.cache_write_input_tokens,
    usage_metadata: JSON.stringify(usage.extras),
    raw_usage: usage.raw,
  };
}

function outcomeOf({ ended, error, queued, finishReason }: ResponseReport, status: number): string {
  if (status >= 400 || error !== null) return "upstream_error";
  if (queued) return "queued";
  return ended || finishReason !== null ? "completed" : "truncated";
}

/** Those of the fixtures. */
const STATUS_NAMES: Readonly<Record<number, string>> = {
  401: "authentication_error",
  404: "not_found_error",
};

/** An error without a name has that of its status. */
function errorOf({ error }: ResponseReport, status: number): string | null {
  if (error !== "error" || status < 400) return error;
  return STATUS_NAMES[status] ?? "invalid_request_error";
}

function usageOf({ usage, usageFinal }: ResponseReport): string {
  if (usage === null) return "unknown";
  const { extras, invalid, addsUp, raw: _raw, ...counts } = usage;
  const figures = [...Object.values(counts), ...Object.values(extras)].filter((figure) => figure !== null);
  if (figures.length === 0) return "unknown";
  const complete = usage.input_tokens !== null && usage.output_tokens !== null && !invalid && addsUp;
  return usageFinal && complete ? "final" : "partial";
}
