/** Reads the response to a request whose work the provider does later: the id of a batch, or an error. */
import { EMPTY_REPORT, type ContentOptions, type ResponseReader } from "./response-reader.ts";
import { findFailure, NO_ERROR, readProviderError } from "./provider-error.ts";
import { asName } from "./usage.ts";
import { asObject } from "../../shared/json.ts";

export function queuedReader(keep: ContentOptions): ResponseReader {
  let id: string | null = null;
  let error = NO_ERROR;
  let ended = false;
  return {
    event: () => undefined,
    body(value) {
      ended = true;
      id = asName(asObject(value)?.["id"]);
      const failure = id === null ? findFailure(value) : undefined;
      if (failure !== undefined) error = readProviderError(failure, keep);
    },
    report: () => ({ ...EMPTY_REPORT, id, ended, queued: id !== null, ...error }),
  };
}
