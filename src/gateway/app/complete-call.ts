/** The one end of a model call: with the provider's response, or without one. */
import type { InterceptionResult } from "../../events/compose.ts";
import type { UsageOptIn } from "../../events/vocabulary.ts";
import { watchForSecrets } from "../../shared/secret-finder.ts";
import { Refusal } from "../../shared/refusal.ts";
import { observe, type Observation } from "../observation/observe.ts";
import { nameError } from "../provider/provider-error.ts";
import { CLIENT_DISCONNECTED } from "../upstream/forward.ts";
import { NO_PROVIDER_HEADERS } from "../upstream/provider-headers.ts";
import { clientDisconnected, toClientResponse } from "./call-upstream.ts";
import type { UpstreamResult } from "./upstream-call.ts";
import { refuse, type Exchange } from "./exchange.ts";
import { leakRefusal, reportLeak } from "./secret-leak.ts";
import type { Intercepted } from "./start-call.ts";
import type { Interception } from "./interception.ts";
import type { Spending } from "./spending.ts";

type Sent = Pick<UpstreamResult, "isUnsent" | "attempts" | "served">;
type End = (result: InterceptionResult) => void;

export type Completion = {
  /** Ends the call before the provider was called. */
  readonly refused: (refusal: Refusal) => Response;
  /** Ends the call with what came of it at the provider, and returns the client's response. */
  readonly finished: (
    result: UpstreamResult,
    intercepted: Intercepted,
    abort: AbortController,
  ) => Promise<Response>;
  /** Ends the call after an unexpected error of the gateway. */
  readonly failed: () => void;
};

/** `usageOptIn`: its state, once the provider has responded. `spending`: what is charged at the end. */
export function completeCall(
  exchange: Exchange,
  interception: Interception,
  usageOptIn: () => UsageOptIn | null,
  spending: Spending | null = null,
): Completion {
  let sent: Sent = {};
  const end: End = (ofResponse) => {
    exchange.closeCall?.();
    const { isUnsent, attempts, served } = sent;
    const by = served && { provider: served.route.provider.name, sentModel: served.sentModel };
    const { lost, sentAt } = attempts ?? {};
    const result = { ...ofResponse, isUnsent, hasLost: Boolean(lost?.length), sentAt };
    const cost = interception.end(result, by);
    if (cost !== null) spending?.ended({ ...result, attempts, servedBy: by?.provider }, cost);
  };
  const withoutResponse = { usageOptIn: null, observation: null, providerHeaders: NO_PROVIDER_HEADERS };
  const refused = (refusal: Refusal): Response => {
    const { status, code: error } = refusal;
    end({ ...withoutResponse, outcome: "refused", status, error });
    return refuse(exchange, refusal);
  };
  return {
    refused,
    failed: () =>
      end({
        ...withoutResponse,
        usageOptIn: usageOptIn(),
        outcome: "refused",
        status: 500,
        error: "internal",
      }),
    async finished({ response, providerHeaders, received, ...call }, intercepted, abort) {
      sent = call;
      const facts = { providerHeaders, usageOptIn: usageOptIn() };
      if (response === CLIENT_DISCONNECTED) {
        end({ ...facts, outcome: "cancelled", status: null, error: null, observation: null });
        return clientDisconnected(exchange.id);
      }
      if (!(response instanceof Refusal))
        return observeResponse(
          exchange,
          { ...facts, response, received, intercepted: { ...intercepted, ...call.served }, abort },
          end,
        );
      const { status, code: error } = response;
      // A refusal below 500 is one of the client's upload.
      const isOwn = status < 500 || call.isUnsent || error === "internal";
      const outcome = isOwn ? "refused" : "upstream_error";
      end({ ...facts, outcome, status, error, observation: null });
      return refuse(exchange, response);
    },
  };
}

type UpstreamResponse = {
  readonly response: Response;
  readonly providerHeaders: UpstreamResult["providerHeaders"];
  readonly received: UpstreamResult["received"];
  readonly intercepted: Intercepted;
  readonly abort: AbortController;
  /** Once the provider has responded. */
  readonly usageOptIn: UsageOptIn | null;
};

/** The client's response. The interception ends when the provider's response does, or the client disconnects. */
async function observeResponse(
  exchange: Exchange,
  { response, received, providerHeaders, intercepted, abort, usageOptIn }: UpstreamResponse,
  end: End,
): Promise<Response> {
  const { connection, after, deps, recorder, waitUntil } = exchange;
  const { api } = intercepted;
  const secrets = deps.secrets && watchForSecrets(deps.secrets);
  const { idleMs, observeBytes } = deps.config.limits;
  const observed = await observe(response, api.createReader(deps.config.recording.content), {
    connection,
    after,
    abort,
    idleMs,
    heldBytes: observeBytes,
    now: deps.now,
    secrets,
    isInjectedUsage: usageOptIn === "added" ? api.isUsageOnly : null,
    hashes: deps.config.recording.responseHash,
  });
  const { status } = response;
  const ended = observed.observation.then((observation: Observation) => {
    const { outcome, report } = observation;
    const named =
      outcome === "upstream_error" ? nameError(report.error, status, response.headers) : report.error;
    // The name can be one that a header has.
    const error = named === null || !deps.secrets ? named : deps.secrets.redactField(named);
    const leaked = secrets?.found() ?? null;
    if (leaked !== null) reportLeak(exchange, intercepted, leaked, observed.isLeak ? "body" : "stream");
    end({ outcome, status, error, providerHeaders, usageOptIn, observation });
    void recorder.flush();
  });
  // A streamed body goes on after the response is returned; any other has been observed already.
  if (observed.body instanceof ReadableStream) waitUntil(ended);
  else await ended;
  if (observed.isLeak) return refuse(exchange, leakRefusal(status));
  return toClientResponse(exchange, intercepted, response, { ...observed, received });
}
