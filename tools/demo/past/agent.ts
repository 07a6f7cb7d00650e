/** An agent's work on one prompt: it calls the model, runs the tools that the model calls, and returns their results. */
import { asObject, type JsonObject } from "../../../src/shared/json.ts";
import { arrayAt, objectAt, stringAt } from "../../emulator/json.ts";
import { send, type SendOptions, type Sender, type Sent } from "./request.ts";

/** A tool's name and the input with which the emulated model calls it. A prompt that has the name as a word selects it. */
export type Tool = { readonly name: string; readonly input: Readonly<Record<string, string>> };

export type Work = SendOptions & {
  readonly model: string;
  readonly prompt: string;
  readonly tools?: readonly Tool[];
  /** Further fields of the body. */
  readonly body?: JsonObject;
};

/** As long as the instructions of a coding agent, so that tokens and costs are of a usual size. */
const INSTRUCTIONS =
  "You are a coding agent. Read before you write, keep changes small, run the tests, and say what you did. ".repeat(
    180,
  );

/** The tools of a prompt are called one after another; an agent that never stops is an error of the demonstration. */
const MAX_ROUNDS = 8;

/** Resolves with the requests that it took. */
export async function runAgent(sender: Sender, work: Work): Promise<readonly Sent[]> {
  const format = sender.dialect === "openai" ? OPENAI : ANTHROPIC;
  const turns: JsonObject[] = [{ role: "user", content: work.prompt }];
  const sent: Sent[] = [];
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const { body, ...one } = await send(sender, format.request(work, turns), work);
    sent.push(one);
    const next = format.results(body);
    if (next.length === 0) return sent;
    turns.push(...next);
  }
  throw new Error(`The agent does not stop: ${work.prompt}`);
}

type Format = {
  readonly request: (work: Work, turns: readonly JsonObject[]) => JsonObject;
  /** The model's turn and the results of the tools that it calls; empty where it calls none. */
  readonly results: (response: JsonObject | null) => readonly JsonObject[];
};

/** The emulated model takes the input from the defaults of the schema. */
const schemaOf = ({ input }: Tool): JsonObject => ({
  type: "object",
  properties: Object.fromEntries(
    Object.entries(input).map(([name, value]) => [name, { type: "string", default: value }]),
  ),
});

const RESULT = "done: 3 files, no error";

const OPENAI: Format = {
  request: ({ model, tools = [], body }, turns) => ({
    model,
    max_completion_tokens: 1000,
    messages: [{ role: "system", content: INSTRUCTIONS }, ...turns],
    ...(tools.length > 0 && {
      tools: tools.map((tool) => ({
        type: "function",
        function: { name: tool.name, parameters: schemaOf(tool) },
      })),
    }),
    ...body,
  }),
  results: (response) => {
    const message = objectAt(arrayAt(response, "choices")[0], "message");
    const calls = arrayAt(message, "tool_calls");
    if (message === undefined || calls.length === 0) return [];
    const results = calls.map((call) => ({
      role: "tool",
      tool_call_id: stringAt(call, "id"),
      content: RESULT,
    }));
    return [message, ...results];
  },
};

const ANTHROPIC: Format = {
  request: ({ model, tools = [], body }, turns) => ({
    model,
    max_tokens: 1000,
    system: INSTRUCTIONS,
    messages: turns,
    ...(tools.length > 0 && {
      tools: tools.map((tool) => ({ name: tool.name, input_schema: schemaOf(tool) })),
    }),
    ...body,
  }),
  results: (response) => {
    const content = arrayAt(response, "content");
    const calls = content.filter((block) => asObject(block)?.["type"] === "tool_use");
    if (calls.length === 0) return [];
    const results = calls.map((call) => ({
      type: "tool_result",
      tool_use_id: stringAt(call, "id"),
      content: RESULT,
    }));
    return [
      { role: "assistant", content },
      { role: "user", content: results },
    ];
  },
};
