/** Selects the offered tools that the output calls, and their inputs. */
import { arrayAt, isObject, objectAt, stringAt, type JsonObject } from "./json.ts";

export type ToolCall = { readonly name: string; readonly input: JsonObject };

/** One call for each offered tool whose name is a word of `prompt`, in the order of the offer. */
export function callsFor(body: JsonObject, prompt: string): readonly ToolCall[] {
  return arrayAt(body, "tools").flatMap((tool) => {
    // Chat completions nests name and schema under `function`; the other two APIs have them on the tool itself.
    const definition = objectAt(tool, "function") ?? tool;
    const name = stringAt(definition, "name");
    if (name === undefined || !mentions(prompt, name)) return [];
    const schema = objectAt(definition, "parameters") ?? objectAt(definition, "input_schema");
    return [{ name, input: sampleObject(schema) }];
  });
}

function mentions(prompt: string, name: string): boolean {
  return prompt.split(/[^\p{L}\p{N}_-]+/u).includes(name);
}

/** A value for every property of the schema. Clients really run these calls, so each value is harmless. */
function sampleObject(schema: JsonObject | undefined): JsonObject {
  const properties = objectAt(schema, "properties") ?? {};
  return Object.fromEntries(Object.entries(properties).map(([name, value]) => [name, sample(value)]));
}

function sample(schema: unknown): unknown {
  const choice = arrayAt(schema, "enum")[0];
  if (choice !== undefined) return choice;
  switch (isObject(schema) ? schema["type"] : undefined) {
    case "number":
    case "integer":
      return 1;
    case "boolean":
      return false;
    case "array":
      return [];
    case "object":
      return sampleObject(isObject(schema) ? schema : undefined);
    default:
      return "emulated";
  }
}
