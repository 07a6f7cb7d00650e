/**
 * Usage objects of the Messages API: https://docs.anthropic.com/en/api/messages. The top-level figures are those of the
 * response. If the provider ran the model more than once (compaction, a fallback model, an advisor), `iterations` has the
 * figures of each run, and all of them are charged.
 */
import { asName, maxOf, sumOf, UsageFigures, type Figures, type Usage } from "../usage.ts";
import { rawUsage } from "../raw-usage.ts";
import { asObject, type JsonObject } from "../../../shared/json.ts";

type Name =
  "input" | "output" | "read" | "written" | "otherInput" | "otherOutput" | "otherRead" | "otherWritten";
export type MessagesFigures = Figures<Name>;

/** Iterations of these types are part of the top-level figures. */
const RESPONSES = new Set(["message", "fallback_message"]);
const MAX_ITERATIONS = 1000;

type Run = Readonly<Record<"input" | "output" | "read" | "written", number | null>>;
const NO_RUN: Run = { input: null, output: null, read: null, written: null };

/** Reads one usage object. */
export function readMessagesFigures(from: JsonObject): MessagesFigures {
  const figures = new UsageFigures();
  const created = asObject(from["cache_creation"]);
  figures.extra("web_search_requests", asObject(from["server_tool_use"]), "web_search_requests");
  figures.extra("cache_ephemeral_5m_input", created, "ephemeral_5m_input_tokens");
  figures.extra("cache_ephemeral_1h_input", created, "ephemeral_1h_input_tokens");
  const top = readRun(figures, from);
  let responses = NO_RUN;
  let others = NO_RUN;
  for (const iteration of iterationsOf(from)) {
    const run = readRun(figures, iteration);
    if (RESPONSES.has(String(iteration["type"]))) responses = addRuns(responses, run);
    else others = addRuns(others, run);
  }
  const counts = {
    // Where several runs responded, the top-level figures may be those of the last one only.
    input: maxOf(top.input, responses.input),
    output: maxOf(top.output, responses.output),
    read: maxOf(top.read, responses.read),
    written: maxOf(top.written, responses.written),
    otherInput: others.input,
    otherOutput: others.output,
    otherRead: others.read,
    otherWritten: others.written,
  };
  return { counts, extras: figures.extras, invalid: figures.invalid, raw: rawUsage(from) };
}

/** The figures of all runs. */
export function toMessagesUsage({ counts, extras, invalid, raw }: MessagesFigures): Usage {
  const { otherInput, otherOutput } = counts;
  return {
    input_tokens: sumOf(counts.input, otherInput),
    output_tokens: sumOf(counts.output, otherOutput),
    cache_read_input_tokens: sumOf(counts.read, counts.otherRead),
    cache_write_input_tokens: sumOf(counts.written, counts.otherWritten),
    extras: {
      ...extras,
      ...(otherInput !== null && { iterations_input: otherInput }),
      ...(otherOutput !== null && { iterations_output: otherOutput }),
    },
    invalid,
    addsUp: true,
    raw,
  };
}

/** The model of the last run that produced the response, where the provider used a fallback; null otherwise. */
export function servingModel(from: JsonObject): string | null {
  const last = iterationsOf(from).findLast(({ type }) => RESPONSES.has(String(type)));
  return last?.["type"] === "fallback_message" ? asName(last["model"]) : null;
}

function iterationsOf(from: JsonObject): readonly JsonObject[] {
  const list: unknown = from["iterations"];
  const entries: readonly unknown[] = Array.isArray(list) ? list.slice(0, MAX_ITERATIONS) : [];
  return entries.map(asObject).filter((entry) => entry !== null);
}

function readRun(figures: UsageFigures, from: JsonObject): Run {
  const created = asObject(from["cache_creation"]);
  return {
    input: figures.read(from, "input_tokens"),
    output: figures.read(from, "output_tokens"),
    read: figures.read(from, "cache_read_input_tokens"),
    written:
      figures.read(from, "cache_creation_input_tokens") ??
      sumOf(
        figures.read(created, "ephemeral_5m_input_tokens"),
        figures.read(created, "ephemeral_1h_input_tokens"),
      ),
  };
}

const addRuns = (a: Run, b: Run): Run => ({
  input: sumOf(a.input, b.input),
  output: sumOf(a.output, b.output),
  read: sumOf(a.read, b.read),
  written: sumOf(a.written, b.written),
});
