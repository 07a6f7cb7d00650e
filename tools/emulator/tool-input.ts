/** Inputs for the tools that clients offer. Clients really run these calls, so each input is harmless. */
import { arrayAt, isObject, numberAt, objectAt, stringAt, type JsonObject } from "./json.ts";

/** Texts by the name of the property, which the coding agents validate or run. */
const PROPERTY_TEXTS: Readonly<Record<string, string>> = {
  command: "echo hi",
  cmd: "echo hi",
  pattern: "emulated",
  url: "http://127.0.0.1/",
  subagent_type: "general",
};

/** A file that exists. Only for tools that read, because others would write to it. */
const READABLE_FILE = "/etc/hosts";
const READERS: ReadonlySet<string> = new Set(["read", "read_file", "view", "view_file", "open_file"]);
const PATHS: ReadonlySet<string> = new Set(["path", "file_path", "filePath", "absolute_path"]);

/** `exec` of Codex runs JavaScript. */
const CUSTOM_INPUTS: Readonly<Record<string, string>> = {
  exec: 'text(await tools.exec_command({ cmd: "echo hi" }));',
};

/** The text for a tool that takes no JSON. */
export function customInput(tool: string): string {
  return CUSTOM_INPUTS[tool] ?? "emulated";
}

/** An input that the schema accepts: the required properties, or all where the schema does not say which are required. */
export function sampleInput(tool: string, schema: JsonObject | undefined): JsonObject {
  const sampled = sampleObject(schema);
  if (!READERS.has(tool.toLowerCase())) return sampled;
  const entries = Object.entries(sampled);
  return Object.fromEntries(entries.map(([name, value]) => [name, PATHS.has(name) ? READABLE_FILE : value]));
}

function sampleObject(schema: unknown): JsonObject {
  const properties = objectAt(schema, "properties") ?? {};
  const required = isObject(schema) && Array.isArray(schema["required"]) ? schema["required"] : undefined;
  const chosen = Object.entries(properties).filter(([name]) => required?.includes(name) ?? true);
  return Object.fromEntries(chosen.map(([name, value]) => [name, sample(name, value)]));
}

function sample(name: string, schema: unknown): unknown {
  const stated = statedValue(schema);
  if (stated !== undefined) return stated;
  const choices = [...arrayAt(schema, "anyOf"), ...arrayAt(schema, "oneOf")];
  if (choices.length > 0)
    return sample(name, choices.find((choice) => typeOf(choice) === "null") ?? choices[0]);
  switch (typeOf(schema)) {
    case "null":
      return null;
    case "number":
    case "integer":
      return Math.max(1, numberAt(schema, "minimum") ?? 1);
    case "boolean":
      return false;
    case "array":
      return sampleArray(name, schema);
    case "object":
      return sampleObject(schema);
    default:
      return PROPERTY_TEXTS[name] ?? "emulated";
  }
}

/** A value that the schema itself has. */
function statedValue(schema: unknown): unknown {
  if (!isObject(schema)) return undefined;
  return schema["const"] ?? arrayAt(schema, "enum")[0] ?? schema["default"];
}

/** Of several types null, because strict schemas write an optional property so. */
function typeOf(schema: unknown): string | undefined {
  const types = arrayAt(schema, "type");
  if (types.length === 0) return stringAt(schema, "type");
  const first = types.includes("null") ? "null" : types[0];
  return typeof first === "string" ? first : undefined;
}

/** A command as a list of words has two; other lists are as short as the schema permits. */
function sampleArray(name: string, schema: unknown): readonly unknown[] {
  const items = objectAt(schema, "items");
  const text = PROPERTY_TEXTS[name];
  if ((name === "command" || name === "cmd") && text !== undefined && typeOf(items) === "string")
    return text.split(" ");
  return Array.from({ length: numberAt(schema, "minItems") ?? 0 }, () => sample(name, items));
}
