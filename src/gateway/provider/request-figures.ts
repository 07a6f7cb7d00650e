/**
 * The figures of a request, read before it is forwarded: for a budget, and for a list of allowed models. A field by which a
 * provider could run something else, or more, than is read here must not pass unseen.
 */
import { asObject, type JsonObject } from "../../shared/json.ts";
import type { HostedCalls } from "../../shared/prices/cost.ts";
import type { Terms } from "../../shared/prices/tiers.ts";
import { Refusal } from "../../shared/refusal.ts";
import { parseRange, type JsonBody, type Range } from "./json-body.ts";
import { eachElement, eachMember, skipValue } from "./json-members.ts";
import { REDIRECTS } from "./model-fields.ts";
import { measureMedia, shortKey } from "./media.ts";
import type { ModelCall } from "./model-call.ts";
import { modelsOf } from "./path-model.ts";
import type { Api } from "./provider.ts";
import { asText } from "./usage.ts";

export type RequestFigures = {
  /** The models of which one runs: the named one, and those that may replace it. null: a model that is not named. */
  readonly models: readonly (string | null)[];
  /** The models that run after another one has refused, which is charged too. */
  readonly fallbackModels: readonly string[];
  /** The models that tools of the request name, which run beside it. */
  readonly toolModels: readonly string[];
  /** Bytes of the body without its images and files. */
  readonly textBytes: number;
  readonly images: number;
  readonly files: number;
  /** The model reads more than the body has: earlier responses, a stored prompt, results of the provider's own tools. */
  readonly hasHiddenInput: boolean;
  /** The request's limit of output tokens; null where it names none. */
  readonly outputLimit: number | null;
  /** Responses that are requested at once. */
  readonly choices: number;
  readonly terms: Terms;
  readonly hosted: HostedCalls;
  /** Tools that the provider charges for by the session or by the image. */
  readonly sessions: number;
  /** The provider goes on, whether the client waits or not. */
  readonly isBackground: boolean;
};

/** Of a request without a text, an image or a limit. */
export const NO_FIGURES: RequestFigures = {
  models: [],
  fallbackModels: [],
  toolModels: [],
  textBytes: 0,
  images: 0,
  files: 0,
  hasHiddenInput: false,
  outputLimit: null,
  choices: 1,
  terms: { serviceTier: null, speed: null, inferenceGeo: null, isBatch: false },
  hosted: { webSearches: 0, fileSearches: 0 },
  sessions: 0,
  isBackground: false,
};

const HIDDEN_INPUT = [
  "previous_response_id",
  "conversation",
  "chat_template",
  "prompt_embeds",
  "container",
  "plugins",
  "mcp_servers",
];

/** @returns the figures, or the refusal `field_invalid` (400) or `field_forbidden` (403). */
export function readFigures(
  call: Pick<ModelCall, "body" | "fields" | "model" | "otherModel">,
  { outputLimits = [] }: Pick<Api, "outputLimits">,
): RequestFigures | Refusal {
  const { body, fields } = call;
  const refusal = rejectRedirects(body);
  if (refusal) return refusal;
  const counts = readCounts(body, [...outputLimits, "n", "best_of"]);
  if (counts instanceof Refusal) return counts;
  const others = readOthers(body);
  if (others instanceof Refusal) return others;
  const tools = readTools(body);
  if (tools instanceof Refusal) return tools;
  // Some servers take 0 for no limit.
  const limits = outputLimits.flatMap((name) => counts.get(name) || []);
  const media = measureMedia(body);
  const word = (name: string): string | null => asText(fields[name], 64);
  return {
    models: [...modelsOf(call), ...others.alternatives],
    fallbackModels: others.fallbacks,
    toolModels: tools.models,
    textBytes: body.source.bytes.length - media.bytes,
    images: media.images,
    files: media.files,
    hasHiddenInput:
      tools.isHosted ||
      media.hasHiddenInput ||
      HIDDEN_INPUT.some((name) => isSet(body, name)) ||
      namesStoredPrompt(body),
    outputLimit: limits.length === 0 ? null : Math.max(...limits),
    choices: Math.max(1, counts.get("n") ?? 1, counts.get("best_of") ?? 1) * promptsOf(body),
    isBackground: fields["background"] === true,
    terms: {
      serviceTier: word("service_tier"),
      speed: word("speed"),
      inferenceGeo: word("inference_geo"),
      isBatch: false,
    },
    hosted: tools.hosted,
    sessions: tools.sessions,
  };
}

/** The models that may run in place of the named one, or beside it: for a list of allowed models. `figures`: where they were read. */
export function otherModelsOf(
  call: Pick<ModelCall, "body" | "model" | "otherModel">,
  figures: RequestFigures | null,
): readonly (string | null)[] | Refusal {
  if (figures !== null) return [...figures.models.slice(1), ...figures.fallbackModels, ...figures.toolModels];
  const { body } = call;
  const refusal = rejectRedirects(body);
  if (refusal) return refusal;
  const others = readOthers(body);
  if (others instanceof Refusal) return others;
  const tools = readTools(body);
  if (tools instanceof Refusal) return tools;
  return [...modelsOf(call).slice(1), ...others.alternatives, ...others.fallbacks, ...tools.models];
}

function rejectRedirects(body: JsonBody): Refusal | null {
  const redirect = REDIRECTS.find((name) => isSet(body, name));
  return redirect === undefined ? null : new Refusal("field_forbidden", { param: redirect });
}

const NULL = 0x6e;

function isSet({ source, members }: JsonBody, name: string): boolean {
  const range = members.get(name);
  return range !== undefined && source.bytes[range.from] !== NULL;
}

const invalid = (param: string): Refusal => new Refusal("field_invalid", { param });

/** Whole numbers that are not negative, each in plain digits: readers differ in what they make of any other form. */
function readCounts(body: JsonBody, names: readonly string[]): ReadonlyMap<string, number> | Refusal {
  const counts = new Map<string, number>();
  for (const name of names) {
    const range = body.members.get(name);
    if (range === undefined || !isSet(body, name)) continue;
    const text = range.to - range.from > 16 ? "" : body.source.peek(range.from, range.to);
    if (!/^(?:0|[1-9]\d{0,14})$/.test(text)) return invalid(name);
    counts.set(name, Number(text));
  }
  return counts;
}

type Others = {
  /** `models`, and a `preset`: one of them may run in place of the named model. */
  readonly alternatives: readonly (string | null)[];
  readonly fallbacks: readonly string[];
};

function readOthers(body: JsonBody): Others | Refusal {
  const models = readNames(body, "models");
  if (models instanceof Refusal) return models;
  const fallbacks = readNames(body, "fallbacks");
  if (fallbacks instanceof Refusal) return fallbacks;
  return { alternatives: isSet(body, "preset") ? [null, ...models] : models, fallbacks };
}

/** Each is a name, or an object that has one. */
function readNames(body: JsonBody, field: string): readonly string[] | Refusal {
  const value = parsed(body, field);
  if (value === undefined) return [];
  if (!Array.isArray(value)) return invalid(field);
  const found: string[] = [];
  for (const entry of value as readonly unknown[]) {
    const model = typeof entry === "string" ? entry : asObject(entry)?.["model"];
    if (typeof model !== "string") return invalid(field);
    found.push(model);
  }
  return found;
}

/** undefined where the field is absent or null; null where it is too long to be parsed. */
function parsed(body: JsonBody, name: string): unknown {
  const range = body.members.get(name);
  if (range === undefined || !isSet(body, name)) return undefined;
  return parseRange(body.source, range) ?? null;
}

type Tools = {
  readonly models: readonly string[];
  readonly hosted: HostedCalls;
  readonly sessions: number;
  /** Whether the provider itself runs one, whose results are further input. */
  readonly isHosted: boolean;
};

/** Calls of one hosted tool where the request names no limit: more than a response usually makes. */
const HOSTED_CALLS = 10;
/** Tools of the client: the model only requests a call. */
const CLIENT_TOOLS = new Set(["function", "custom", "local_shell", "apply_patch", "namespace"]);
/** Anthropic's tools that the client runs: https://platform.claude.com/docs/en/agents-and-tools/tool-use/overview */
const ANTHROPIC_CLIENT_TOOL = /^(?:bash|text_editor|computer|memory)(?:_|$)/;
const SESSION_TOOL = /^(?:code_interpreter|code_execution|image_generation|shell)(?:_|$)/;

function readTools(body: JsonBody): Tools | Refusal {
  const models: string[] = [];
  let [webSearches, fileSearches, sessions] = [0, 0, 0];
  let isHosted = isSet(body, "web_search_options");
  if (isHosted) webSearches += HOSTED_CALLS;
  const listed = eachTool(body);
  if (listed instanceof Refusal) return listed;
  for (const tool of listed) {
    const type = typeof tool["type"] === "string" ? tool["type"] : "";
    const { model } = tool;
    if (typeof model === "string") models.push(model);
    else if (model !== undefined && model !== null) return invalid("tools.model");
    if (type === "" || CLIENT_TOOLS.has(type) || ANTHROPIC_CLIENT_TOOL.test(type)) continue;
    isHosted = true;
    const most = tool["max_uses"];
    const calls = Number.isSafeInteger(most) && (most as number) >= 0 ? (most as number) : HOSTED_CALLS;
    if (type.startsWith("web_search")) webSearches += calls;
    else if (type.startsWith("file_search")) fileSearches += calls;
    else if (SESSION_TOOL.test(type)) sessions += 1;
  }
  return { models, hosted: { webSearches, fileSearches }, sessions, isHosted };
}

/** The members `type`, `model` and `max_uses` of each tool. Schemas are not parsed, which can be long. */
function eachTool(body: JsonBody): readonly JsonObject[] | Refusal {
  const range = body.members.get("tools");
  if (range === undefined || body.source.bytes[range.from] !== 0x5b) return [];
  return readEntries(body, range);
}

const TOOL_KEYS: ReadonlySet<string> = new Set(["type", "model", "max_uses"]);

function readEntries({ source }: JsonBody, range: Range): readonly JsonObject[] | Refusal {
  const { bytes } = source;
  const tools: JsonObject[] = [];
  let repeated: string | null = null;
  eachElement(source, range.from, (at) => {
    if (bytes[at] !== 0x7b) return skipValue(source, at);
    const tool: Record<string, unknown> = {};
    const end = eachMember(source, at, (key, from, to) => {
      const sent = shortKey(source, key);
      const name = sent?.toLowerCase() ?? "";
      if (!TOOL_KEYS.has(name)) return;
      if (sent !== name || name in tool) repeated = name;
      tool[name] = parseRange(source, { from, to });
    });
    tools.push(tool);
    return end;
  });
  return repeated === null ? tools : new Refusal("field_repeated", { param: `tools.${repeated}` });
}

/** A completion is made of each prompt in a list. A list of numbers is one prompt, as tokens. */
function promptsOf({ source, members }: JsonBody): number {
  const range = members.get("prompt");
  if (range === undefined || source.bytes[range.from] !== 0x5b) return 1;
  let prompts = 0;
  eachElement(source, range.from, (at) => {
    const first = source.bytes[at];
    if (first === 0x22 || first === 0x5b) prompts += 1;
    return skipValue(source, at);
  });
  return Math.max(1, prompts);
}

/** A prompt that the provider stores, which can name a model of its own. */
function namesStoredPrompt({ source, members }: JsonBody): boolean {
  const range = members.get("prompt");
  return range !== undefined && source.bytes[range.from] === 0x7b;
}
