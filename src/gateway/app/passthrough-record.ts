/** A passthrough's record: one start and exactly one end. A second end is ignored. */
import {
  acceptedOverride,
  NOTHING_RETRIEVED,
  passthroughEvent,
  passthroughStartEvent,
  type PassthroughResult,
  type RetrievedFacts,
} from "../../events/compose.ts";
import type { Refusal } from "../../shared/refusal.ts";
import { isRejectedOwnKey } from "../observation/outcome.ts";
import { edgeErrorOf } from "../observation/edge-error.ts";
import { idsInPath } from "../policy/objects.ts";
import { NO_PROVIDER_HEADERS } from "../upstream/provider-headers.ts";
import type { Forwardable, UpstreamResult } from "./upstream-call.ts";
import type { RequestDecision } from "./decide.ts";
import { networkOf, type Exchange } from "./exchange.ts";
import type { OnBody } from "./object-owners.ts";
import { toRecordedIds } from "./recorded-ids.ts";

export type PassthroughRecord = {
  /** Whether every required sink took the start, and the owner header's event before it. */
  readonly started: Promise<boolean>;
  /** Records the end. The caller flushes. `at`: its time, in milliseconds since 1970; now by default. */
  readonly end: (result: PassthroughResult, at?: number) => void;
  /** Takes facts about the request for the end's record. */
  readonly found: Required<OnBody>;
};

export async function startPassthrough(
  exchange: Exchange,
  { actor, decision }: RequestDecision,
  forwardable: Forwardable,
): Promise<PassthroughRecord> {
  const { request, deps, recorder, startedAt } = exchange;
  const { route: named, caller, credential } = forwardable;
  const { provider, route } = named;
  const configVersion = await deps.configVersion;
  const facts = {
    method: request.method,
    provider: provider.name,
    providerType: provider.dialect.type,
    route: route.path,
    startedAt,
    workerVersion: deps.config.workerVersion,
  };
  const override = acceptedOverride(caller, decision, provider.name, deps.now());
  if (override) recorder.record(override);
  const initiatorName = decision.initiator.name;
  const start = { actor, initiatorName, configVersion, network: networkOf(exchange) };
  recorder.record(passthroughStartEvent(caller, facts, start));
  const objects = new Set(idsInPath(named));
  let requestSha256: string | null = null;
  let isOpen = true;
  return {
    started: recorder.flush(),
    found: {
      objects: (ids) => ids.forEach((id) => objects.add(id)),
      body: (sha256) => (requestSha256 = sha256),
    },
    end: (result, at = deps.now()) => {
      if (!isOpen) return;
      isOpen = false;
      const isOwnKeyRejected = isRejectedOwnKey(credential.kind, result);
      const content = { objectIds: toRecordedIds(objects, deps.secrets), requestSha256 };
      recorder.record(passthroughEvent(caller, facts, { ...result, ...content, isOwnKeyRejected }, at));
    },
  };
}

const WITHOUT_RESPONSE = { retrieved: NOTHING_RETRIEVED, providerHeaders: NO_PROVIDER_HEADERS };

export const CANCELLED: PassthroughResult = {
  ...WITHOUT_RESPONSE,
  outcome: "cancelled",
  status: 499,
  error: null,
};

export const FAILED: PassthroughResult = {
  ...WITHOUT_RESPONSE,
  outcome: "refused",
  status: 500,
  error: "internal",
};

/** `providerHeaders`: null where the provider was not called. */
export function refusedResult(
  { status, code }: Refusal,
  providerHeaders: UpstreamResult["providerHeaders"] | null,
): PassthroughResult {
  // A refusal below 500 is one of the client's upload.
  const isOwn = providerHeaders === null || status < 500 || code === "internal";
  const outcome = isOwn ? "refused" : "upstream_error";
  return {
    ...WITHOUT_RESPONSE,
    outcome,
    status,
    error: code,
    ...(providerHeaders && { providerHeaders }),
  };
}

export function respondedResult(
  { status, headers }: Response,
  providerHeaders: UpstreamResult["providerHeaders"],
  retrieved: RetrievedFacts,
): PassthroughResult {
  const outcome = status < 400 ? "completed" : "upstream_error";
  return { outcome, status, error: edgeErrorOf(status, headers), retrieved, providerHeaders };
}
