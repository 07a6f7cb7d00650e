/** The error bodies of the records API, where the gateway refuses a request to it. */
import { EXPLAIN_RULES } from "../../events/explanation.ts";
import type { Dialect } from "../provider/provider.ts";

/** Coder's API error: `message`, and `validations` where a field is at fault. */
const errorBody: Dialect["errorBody"] = ({ message, code, param }) => {
  if (param === null) return { message };
  const detail = code === "filter_unknown" ? NO_PARAMETERS : (EXPLAIN_RULES[param] ?? "");
  return { message, validations: [{ field: param, detail }] };
};

const NO_PARAMETERS = "explain has no query parameters";

export const API_DIALECT = { errorBody };
