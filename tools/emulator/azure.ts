/**
 * Azure OpenAI: the OpenAI endpoints under `/openai/v1`, and those of dated versions, with Azure's results of content
 * filters. Any deployment exists; each runs the same model, as the response says.
 */
import { isObject, type JsonObject } from "./json.ts";
import { json, type JsonReply, type Reply, type SseEvent } from "./reply.ts";

export type AzurePath = {
  /** The same endpoint's path in OpenAI's API. */
  readonly path: string;
  /** null where the body names it. */
  readonly deployment: string | null;
  /** Whether the endpoint requires a dated `api-version`. */
  readonly isDated: boolean;
};

/** null for a path of another API. */
export function azurePath(path: string): AzurePath | null {
  const [, version, deployment = null, rest] =
    /^\/openai(\/v1)?(?:\/deployments\/([^/]+))?(\/.+)$/.exec(path) ?? [];
  if (rest === undefined || (version !== undefined && deployment !== null)) return null;
  return { path: `/v1${rest}`, deployment, isDated: version === undefined };
}

/** The model behind every deployment, by the endpoint. */
export const servedModel = (path: string): string =>
  path === "/v1/embeddings" ? "text-embedding-3-small" : "gpt-5.1-2025-11-13";

const azureError = (status: number, code: string, message: string): JsonReply =>
  json({ error: { code, message } }, status);

export const azureErrors = {
  credentials: (): JsonReply =>
    azureError(
      401,
      "401",
      "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription and use a correct regional API endpoint for your resource.",
    ),
  notFound: (): JsonReply => azureError(404, "404", "Resource not found"),
};

const SAFE = {
  hate: { filtered: false, severity: "safe" },
  self_harm: { filtered: false, severity: "safe" },
  sexual: { filtered: false, severity: "safe" },
  violence: { filtered: false, severity: "safe" },
};
const PROMPT_RESULTS = [{ prompt_index: 0, content_filter_results: SAFE }];

/** As Azure sends it: results of filters in each choice, and those of the prompt in a first chunk without choices. */
export function withFilterResults(reply: Reply): Reply {
  if (reply.kind === "json" && isObject(reply.body) && Array.isArray(reply.body["choices"]))
    return { ...reply, body: { ...filtered(reply.body), prompt_filter_results: PROMPT_RESULTS } };
  if (reply.kind !== "stream" || !reply.events.some(({ data }) => data.includes("chat.completion.chunk")))
    return reply;
  const first = {
    choices: [],
    created: 0,
    id: "",
    model: "",
    object: "",
    prompt_filter_results: PROMPT_RESULTS,
  };
  return { ...reply, events: [{ data: JSON.stringify(first) }, ...reply.events.map(filteredEvent)] };
}

function filteredEvent(event: SseEvent): SseEvent {
  if (!event.data.startsWith("{")) return event;
  return { ...event, data: JSON.stringify(filtered(JSON.parse(event.data) as JsonObject)) };
}

function filtered(body: JsonObject): JsonObject {
  const choices = Array.isArray(body["choices"]) ? (body["choices"] as readonly JsonObject[]) : [];
  return { ...body, choices: choices.map((choice) => ({ ...choice, content_filter_results: SAFE })) };
}
