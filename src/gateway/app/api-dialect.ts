/** The error bodies of the records API, where the gateway refuses a request to it. */
import { EXPLAIN_RULES } from "../../events/explanation.ts";
import type { Dialect } from "../provider/provider.ts";

/** Coder's API error: `message`, and `validations` where a field is at fault. */
const errorBody: Dialect["errorBody"] = ({ message, code, param }) => {
  if (param === null) return { message };
  const detail = code === "filter_unknown" ? UNKNOWN_PARAMETER : (EXPLAIN_RULES[param] ?? "");
  return { message, validations: [{ field: param, detail }] };
};

const UNKNOWN_PARAMETER = "the route has no such query parameter";

export const API_DIALECT = { errorBody };
