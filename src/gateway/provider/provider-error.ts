/**
 * The error that a response reports: a short name and, if `ContentOptions` keeps it, the message. Providers and the servers
 * between them use many shapes; `findFailure` recognizes them, `readProviderError` names them.
 */
import type { ResponseReport, ContentOptions } from "./response-reader.ts";
import { cut } from "./bounded-text.ts";
import { asText } from "./usage.ts";
import { asObject, parseJson, type JsonObject } from "../../shared/json.ts";

export type ProviderError = Pick<ResponseReport, "error" | "errorMessage">;

export const NO_ERROR: ProviderError = { error: null, errorMessage: null };

const MAX_ERROR_TYPE = 64;
const MAX_MESSAGE = 1024;
/** Errors inside errors that are looked at. */
const MAX_DEPTH = 4;
/** Members of a response that succeeded. */
const CONTENT_KEYS = ["choices", "output", "content", "data"];
/** Members that make a value with a message an error. */
const NAME_KEYS = [
  "type",
  "code",
  "status",
  "reason",
  "__type",
  "statusCode",
  "status_code",
  "error_type",
  "error_code",
  "errorCode",
];
/** Names of the message in place of `message`: those of AWS, Zhipu and Baidu. */
const MESSAGE_KEYS = ["Message", "msg", "error_msg", "errorMessage"];
/** Texts that are printed for a missing name. */
const NO_NAMES = new Set(["", "none", "null", "nil", "undefined", "error", "unknown", "about:blank"]);
/** A name has no blanks: a text would tell what `ContentOptions` may not keep. */
const NAME = /^[\w.:/#-]+$/;
/** Names in an event of a stream that say that it is an error. Streams also report progress with a type and a message. */
const FAILURE_NAME =
  /err|exception|fail|invalid|exceed|limit|quota|denied|forbid|unauth|not_?found|time_?d?_?out|overload|unavailable|throttl|exhaust|insufficient|reject|block|unsupported|billing/i;

/** Where a value is read: a whole body, or an event of a stream. */
export type FailureSource = "body" | "event";

/**
 * Matches the text of an event that may report an error: a key that ends in `error` with a value that is not `null`, or such
 * a value. Readers join it with the pattern of the events that they parse.
 */
export const MAY_HOLD_ERROR = String.raw`error"\s*(?:[,}]|:\s*[^\sn])`;

/** Whether a finish reason says that the provider failed: `error`, `network_error`, DeepSeek's `insufficient_system_resource`. */
export const isFailureReason = (reason: string): boolean =>
  /(?:^|_)error(?:_|$)|^insufficient_/i.test(reason);

/** The names of statuses in the words that OpenAI and Anthropic share. */
const STATUS_NAMES: Readonly<Record<number, string>> = {
  401: "authentication_error",
  402: "billing_error",
  403: "permission_error",
  404: "not_found_error",
  408: "timeout_error",
  409: "conflict_error",
  413: "request_too_large",
  429: "rate_limit_error",
  503: "overloaded_error",
  504: "timeout_error",
  529: "overloaded_error",
};

/** Headers that name an error whose body may have only a message: those of AWS, Azure and Hugging Face. */
const ERROR_HEADERS = ["x-amzn-errortype", "x-ms-error-code", "x-error-code"];

/**
 * The name of a response's error. One without a name of its own has that of a header or, without one, that of its status.
 */
export function nameError(error: string | null, status: number, headers: Headers): string | null {
  if (status < 400 || (error !== null && error !== "error")) return error;
  for (const header of ERROR_HEADERS) {
    // AWS appends the namespace of the error's shape: `ThrottlingException:http://internal.amazon.com/coral/…`.
    const name = toName(headers.get(header)?.replace(/:https?:.*$/i, ""));
    if (name !== null) return name;
  }
  return errorNameOf(status);
}

/** The name of an error of which only the HTTP status is known. */
function errorNameOf(status: number): string {
  const name = STATUS_NAMES[status];
  if (name !== undefined) return name;
  return status >= 400 && status < 500 ? "invalid_request_error" : "server_error";
}

/**
 * The part of a JSON value that describes an error; undefined if the value is no error. Known shapes: `{error: …}`, a list
 * of these (Gemini), `{object: "error", …}` (vLLM), `{type: "error", …}`, `{errors: […]}`, `{detail: …}` (FastAPI),
 * `{success: false, …}`, `{base_resp: …}` (MiniMax), and a message beside a type, code or status (Mistral, AWS).
 */
export function findFailure(value: unknown, of: FailureSource = "body", depth = 0): unknown {
  if (Array.isArray(value)) {
    const found: unknown = value.find((entry) => findFailure(asObject(entry), of) !== undefined);
    return found === undefined ? undefined : findFailure(found, of);
  }
  const object = asObject(value);
  if (!object || depth > MAX_DEPTH) return undefined;
  const inner = object["error"];
  if (isFilled(inner)) return withOuter(inner, object, depth);
  if (typeof inner === "string" && !EMPTY_TEXT.test(inner)) return { ...textError(inner), ...named(object) };
  if (object["object"] === "error" || object["type"] === "error" || inner === true) return object;
  const base = asObject(object["base_resp"]);
  if (typeof base?.["status_code"] === "number" && base["status_code"] !== 0)
    return { code: base["status_code"], message: base["status_msg"] };
  if (CONTENT_KEYS.some((key) => (object[key] ?? null) !== null)) return undefined;
  const { errors, detail } = object;
  if (Array.isArray(errors) && errors.length > 0) return asObject(errors[0]) ?? errors[0];
  if (detail !== undefined && detail !== null && detail !== "")
    return findFailure(asObject(detail), of, depth + 1) ?? { ...named(object), detail };
  return object["success"] === false || object["ok"] === false || isNamedMessage(object, of)
    ? object
    : undefined;
}

/** A message beside a name or a code. In an event, a type or status must also say that it is an error. */
function isNamedMessage(object: JsonObject, of: FailureSource): boolean {
  if (typeof messageOf(object) !== "string") return false;
  return NAME_KEYS.some((key) => {
    const value = object[key];
    if (value === undefined || value === null || typeof value === "object") return false;
    if (typeof value === "boolean") return of === "body" && !value;
    if (Number.isInteger(Number(value)) && value !== "") return !isSuccess(Number(value));
    if (of === "body" || key === "code" || key === "__type") return !SUCCESS_NAME.test(String(value));
    return FAILURE_NAME.test(String(value));
  });
}

const isSuccess = (code: number): boolean => code === 0 || (code >= 100 && code < 400);
const SUCCESS_NAME = /^(?:|ok|success|succeeded|completed)$/i;

/** An object or list with a value. Some servers send an `error` without one, or with empty texts, beside a response. */
const isFilled = (value: unknown): boolean =>
  typeof value === "object" && value !== null && Object.values(value).some(isValue);
const isValue = (value: unknown): boolean =>
  typeof value === "object" && value !== null ? Object.keys(value).length > 0 : !EMPTY_VALUES.has(value);
const EMPTY_VALUES: ReadonlySet<unknown> = new Set([null, undefined, "", 0, false]);
const EMPTY_TEXT = /^\s*(?:none|null|nil|undefined|false)?\s*$/i;

/** The error's own object; where it has no name, the members around it name it. */
function withOuter(inner: unknown, outer: JsonObject, depth: number): unknown {
  const object = asObject(Array.isArray(inner) ? inner[0] : inner);
  if (!object) return inner;
  const deeper =
    nameOf(object) === null && isFilled(object["error"]) ? findFailure(object, "body", depth + 1) : undefined;
  if (deeper !== undefined) return deeper;
  return nameOf(object) === null ? { ...named(outer), ...object } : object;
}

const named = (from: JsonObject): JsonObject =>
  Object.fromEntries([...NAME_KEYS, "message"].flatMap((key) => (key in from ? [[key, from[key]]] : [])));

/** An error that is only a text: an identifier is its name, anything else is its message. */
const textError = (text: string): JsonObject =>
  /^[A-Za-z][\w.-]{0,63}$/.test(text) ? { type: text } : { message: text };

/**
 * Names an error by its type, its code, its status or its reason, whichever comes first and is a name; else by the numeric
 * code or `status` (HTTP). The name is never empty.
 */
export function readProviderError(
  failure: unknown,
  keep: ContentOptions,
  status: number | null = null,
): ProviderError {
  const object = asObject(failure);
  return {
    error: (object && (nameOf(object) ?? nameInMessage(object))) ?? nameByNumber(object, status),
    errorMessage: keep.errorMessages ? toMessage(object ? messageOf(object) : failure) : null,
  };
}

function nameOf(object: JsonObject): string | null {
  const { details } = object;
  const reason = Array.isArray(details) ? asObject(details[0])?.["reason"] : undefined;
  for (const value of [...NAME_KEYS.map((key) => object[key]), reason]) {
    const name = toName(value);
    if (name !== null) return name;
  }
  const { detail } = object;
  return toName(asObject(Array.isArray(detail) ? detail[0] : detail)?.["type"]);
}

/** Servers in between put the provider's whole error body into the message. */
function nameInMessage(object: JsonObject): string | null {
  const message = messageOf(object);
  if (typeof message !== "string" || !message.trimStart().startsWith("{")) return null;
  const failure = asObject(findFailure(parseJson(message)));
  return failure && nameOf(failure);
}

function toName(value: unknown): string | null {
  if (typeof value !== "string") return null;
  // AWS prefixes the name of a shape with its namespace.
  const name = value.trim().replace(/^[\w.]+#/, "");
  const isName = NAME.test(name) && !name.includes("://") && !/^\d+$/.test(name);
  return !isName || NO_NAMES.has(name.toLowerCase()) ? null : asText(name, MAX_ERROR_TYPE);
}

function nameByNumber(object: JsonObject | null, status: number | null): string {
  for (const key of ["code", "status", "statusCode", "status_code"]) {
    const number = Number(object?.[key] ?? Number.NaN);
    if (Number.isInteger(number) && number >= 400 && number < 600) return errorNameOf(number);
  }
  return status !== null && status >= 400 ? errorNameOf(status) : "error";
}

function messageOf(object: JsonObject): unknown {
  const { message, detail, title } = object;
  if (typeof message === "string") return message;
  for (const key of MESSAGE_KEYS) if (typeof object[key] === "string") return object[key];
  if (typeof detail === "string") return detail;
  const first = asObject(Array.isArray(detail) ? detail[0] : detail);
  return first?.["msg"] ?? first?.["message"] ?? title;
}

/** Truncated between words, because redaction would not recognize the remaining part of a truncated key. */
function toMessage(value: unknown): string | null {
  if (typeof value !== "string" || value === "") return null;
  if (value.length <= MAX_MESSAGE) return value;
  const end = Math.max(...[" ", "\n", "\t"].map((blank) => value.lastIndexOf(blank, MAX_MESSAGE)));
  return end < 0 ? null : cut(value, end);
}
