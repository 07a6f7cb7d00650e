/** Refusals in Coder's API error form: `{ message, validations? }`. */
import { ENDPOINTS } from "./endpoints.ts";

/** Coder's error: `validations` names the parameter or field at fault and the rule for its value. */
export type ErrorBody = {
  readonly message: string;
  readonly validations?: readonly { readonly field: string; readonly detail: string }[];
};

/** Name of a query parameter or body field → the rule for its value. */
const RULES: ReadonlyMap<string, string> = new Map(
  ENDPOINTS.toReversed().flatMap(({ parameters, body }) => [
    ...Object.entries(parameters).map(([name, { rule }]) => [name, rule] as const),
    ...Object.entries(body?.rules ?? {}),
  ]),
);

/** In place of the hint about base URLs, which is for clients of providers. */
const NOT_FOUND = "The records API has nothing at this path. Its paths are listed in openapi.json.";

const UNKNOWN_PARAMETER = "must be a parameter that openapi.json lists for this path";

/** The response's body. It never repeats a value that the client sent, nor the refusal's `detail`. */
export function errorBody({
  code,
  message,
  data,
}: {
  readonly code: string;
  readonly message: string;
  readonly data: { readonly param?: string };
}): ErrorBody {
  if (data.param === undefined) return { message: code === "not_found" ? NOT_FOUND : message };
  const detail = code === "filter_unknown" ? UNKNOWN_PARAMETER : (RULES.get(data.param) ?? "");
  return { message, validations: [{ field: data.param, detail }] };
}
