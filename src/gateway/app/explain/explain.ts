/**
 * `POST /explain`: decides about a described request with the same steps as about a real one. It forwards nothing,
 * records nothing, reads no body and uses up no signature: the replay cache is assumed to see it for the first time.
 * Identity sources and the directory are queried, and their results are cached as usual.
 */
import type { Explanation } from "../../../events/explanation.ts";
import { contentEncoding } from "../../../shared/http/body-headers.ts";
import { Refusal } from "../../../shared/refusal.ts";
import { checkObjects } from "../../policy/objects.ts";
import { respond } from "../api-response.ts";
import { checkUnreadBody, decide, emptyFindings, type Findings, type ProviderRequest } from "../decide.ts";
import type { Deps } from "../deps.ts";
import { findDestination, type Destination, type RequestHead } from "../destination.ts";
import type { Exchange } from "../exchange.ts";
import { explainBudgets, type ExplainedBudgets } from "./budgets.ts";
import { readExplainInput, type ExplainInput } from "./input.ts";
import { toExplanation } from "./redact.ts";

export async function explain(exchange: Exchange): Promise<Response | Refusal> {
  const input = await readExplainInput(exchange);
  if (input instanceof Refusal) return input;
  return respond(exchange, await explainRequest(input, exchange.deps));
}

/** The explanation of one described request, redacted. */
async function explainRequest(input: ExplainInput, deps: Deps): Promise<Explanation> {
  const { method, path, headers } = input;
  // As a request's URL is made: of the Host header, even a forged one, and the target.
  const head = { method, url: `https://${headers.get("host") ?? "described.invalid"}${path}`, headers };
  const destination = findDestination(head, deps);
  const findings = emptyFindings();
  const { refusal, budgets } = await explainDecision(head, destination, input, { deps, findings });
  return toExplanation(findings, {
    destination: destination.kind,
    delegates: deps.delegate !== null,
    refusal,
    budgets,
  });
}

const withoutBudgets = (refusal: Refusal | null): ExplainedBudgets => ({ refusal, budgets: null });

async function explainDecision(
  head: RequestHead,
  destination: Destination,
  input: ExplainInput,
  { deps, findings }: { readonly deps: Deps; readonly findings: Findings },
): Promise<ExplainedBudgets> {
  const { bodySha256 } = input;
  if (destination.kind === "not_found") return withoutBudgets(destination.refusal);
  if (destination.kind !== "provider") return withoutBudgets(null);
  const { target, route } = destination;
  const unread = checkUnreadBody(head, deps.config.limits.bodyBytes);
  // A description has the digest of the decoded body.
  const isPlain = contentEncoding(head.headers) === "plain";
  const body: ProviderRequest["body"] = {
    sha256: async (form) => unread ?? (form === "decoded" || isPlain ? bodySha256 : null),
  };
  const decided = await decide({ head, target, route, body }, withoutReplayCache(deps), findings);
  if (decided instanceof Refusal) return withoutBudgets(decided);
  const objects = checkObjects(route, { method: head.method, ...decided });
  const refusal = decided.refusal ?? objects ?? (route.route.kind === "intercept" ? unread : null);
  if (refusal || route.route.kind !== "intercept") return withoutBudgets(refusal);
  return explainBudgets(decided, route, input, deps);
}

function withoutReplayCache(deps: Deps): Deps {
  const { verifiers } = deps;
  const replayCache = verifiers.replayCache && (() => Promise.resolve("first" as const));
  return { ...deps, verifiers: { ...verifiers, replayCache } };
}
