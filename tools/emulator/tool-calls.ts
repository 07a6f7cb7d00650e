/** Selects the offered tools that the output calls, and their inputs. */
import { arrayAt, objectAt, stringAt, type JsonObject } from "./json.ts";
import { customInput, sampleInput } from "./tool-input.ts";

export type ToolCall = {
  readonly name: string;
  /** A text for a custom tool of the Responses API, which has no schema. */
  readonly input: JsonObject | string;
  /** The namespace in which the Responses API groups tools. */
  readonly namespace?: string;
};

/** One call for each offered tool whose name is a word of `text`, in the order of the offer. */
export function callsFor(body: JsonObject, text: string): readonly ToolCall[] {
  return offeredTools(body).flatMap(({ tool, namespace }) => {
    // Chat completions nests name and schema under `function`; the other two APIs have them on the tool itself.
    const definition = objectAt(tool, "function") ?? tool;
    const name = stringAt(definition, "name");
    if (name === undefined || !mentions(text, name)) return [];
    const schema = objectAt(definition, "parameters") ?? objectAt(definition, "input_schema");
    const input = stringAt(tool, "type") === "custom" ? customInput(name) : sampleInput(name, schema);
    return [{ name, input, ...(namespace !== undefined && { namespace }) }];
  });
}

type Offered = { readonly tool: unknown; readonly namespace?: string };

/** The Responses API also takes tools in an item of its input, as Codex sends them, and groups of tools. */
function offeredTools(body: JsonObject): readonly Offered[] {
  const additional = arrayAt(body, "input").filter((item) => stringAt(item, "type") === "additional_tools");
  return [body, ...additional].flatMap((holder) => arrayAt(holder, "tools")).flatMap(ungrouped);
}

function ungrouped(tool: unknown): readonly Offered[] {
  const namespace = stringAt(tool, "name");
  if (stringAt(tool, "type") !== "namespace" || namespace === undefined) return [{ tool }];
  return arrayAt(tool, "tools").map((member) => ({ tool: member, namespace }));
}

function mentions(text: string, name: string): boolean {
  return text.split(/[^\p{L}\p{N}_-]+/u).includes(name);
}
