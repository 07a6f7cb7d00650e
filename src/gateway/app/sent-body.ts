/** The body of a model call as it is sent: the client's, with the gateway's edits. */
import { applyEdits, type BodyEdit } from "../provider/body-edit.ts";
import type { Range } from "../provider/json-body.ts";
import type { UpstreamBody } from "../upstream/forward.ts";
import type { Outgoing } from "./upstream-call.ts";

/** A body that is held, as the client sent it. */
export type BodySource = {
  readonly bytes: Uint8Array;
  /** The value of `model`; null where the body has none. */
  readonly model: Range | null;
};

/** Whether the body that is sent is not the client's. */
export const isEdited = ({ optIn, sentModel }: Pick<Outgoing, "optIn" | "sentModel">): boolean =>
  Boolean(optIn?.injected) || sentModel !== null;

/** A request whose body is not read as that of a model call. `encoding`: the one in which the client sent it. */
export const unreadOutgoing = (body: UpstreamBody, encoding: string | null): Outgoing => ({
  body,
  isDecoded: encoding !== null,
  optIn: null,
  source: null,
  model: null,
  sentModel: null,
  fallbacks: [],
});

export function composeBody(
  { bytes, model }: BodySource,
  { optIn, sentModel }: Pick<Outgoing, "optIn" | "sentModel">,
): UpstreamBody {
  const edits: BodyEdit[] = optIn?.injected ? [optIn.injected.edit] : [];
  if (model !== null && sentModel !== null) edits.push({ ...model, text: JSON.stringify(sentModel) });
  return edits.length === 0 ? bytes : applyEdits(bytes, edits);
}
