/**
 * What is known of a request before its body is read: where it goes, who calls, with which key, on whose account. Every
 * request is judged here, and so is one that is only described (`explain.ts`): what is explained cannot differ from what
 * is done. Records nothing, forwards nothing.
 */
import { detectClient, type Client } from "../client/client.ts";
import { CODER_AGENTS } from "../client/clients.ts";
import { checkDeclaredLength, rejectBody, rejectEncodedBody } from "./request-body.ts";
import { hasLooped } from "../upstream/request-headers.ts";
import { readTarget, type Target } from "../../shared/http/target.ts";
import { readCredential, type Credential } from "../identity/credential.ts";
import { identify, type Actor } from "../identity/identity.ts";
import { readOwnerClaim } from "../initiator/owner-claim.ts";
import { refusalOnInvalid } from "../initiator/on-invalid.ts";
import { delegatedCredential, type Delegation } from "../initiator/delegation.ts";
import { detectFlags, type Flag } from "../initiator/flags.ts";
import { decideInitiator, type Decision } from "../initiator/decision.ts";
import { verifyAssertion } from "../initiator/verify-assertion.ts";
import type { Dialect } from "../provider/provider.ts";
import { checkMethod, findRoute, isBase, namedProvider, type Route } from "../provider/route.ts";
import { Refusal } from "../../shared/refusal.ts";
import { chooseCredential, type UpstreamCredential } from "../upstream/credential.ts";
import type { Deps } from "./deps.ts";

/** A request, or the description of one. */
export type RequestHead = Pick<Request, "method" | "url" | "headers">;

/** What judging takes of the app's parts. */
export type DecideDeps = Pick<
  Deps,
  "config" | "delegate" | "verifiers" | "api" | "fallbackDialect" | "now" | "randomUuid"
>;

export type Destination =
  | { readonly is: "provider"; readonly target: Target; readonly route: Route }
  | { readonly is: "api" | "base"; readonly target: Target }
  | { readonly is: "not_found"; readonly refusal: Refusal; readonly dialect: Dialect };

/** Where a request goes: out of fixed tables. */
export function findDestination(
  asked: RequestHead,
  { config: { providers }, api, fallbackDialect }: DecideDeps,
): Destination {
  const nowhere = (refusal: Refusal, dialect = fallbackDialect): Destination => ({
    is: "not_found",
    refusal,
    dialect,
  });
  if (hasLooped(asked.headers)) return nowhere(new Refusal("loop"));
  const target = readTarget(asked);
  if (target instanceof Refusal) return nowhere(target);
  const { path } = target;
  if (api.hasPath(path)) return { is: "api", target };
  const route = findRoute(path, asked.headers, providers);
  if (route) return { is: "provider", target, route };
  if (asked.method === "HEAD" && isBase(path, providers)) return { is: "base", target };
  return nowhere(new Refusal("not_found"), namedProvider(path, providers)?.dialect);
}

/** What is found out of a request to a provider, each as soon as it is: what lies behind a refusal stays null. */
export type Findings = {
  route: Route | null;
  client: Client | null;
  delegation: Delegation | null;
  presented: Credential | null;
  actor: Actor | null;
  credential: UpstreamCredential | null;
  decision: Decision | null;
  flags: readonly Flag[];
};

export const emptyFindings = (): Findings => ({
  route: null,
  client: null,
  delegation: null,
  presented: null,
  actor: null,
  credential: null,
  decision: null,
  flags: [],
});

type Required = "client" | "actor" | "credential" | "decision" | "flags";

/** The same once all of it is decided. */
export type RequestDecision = { readonly [Name in Required]: NonNullable<Findings[Name]> } & {
  readonly delegation: Delegation | null;
  /** What is due where the owner does not count, once that is recorded. */
  readonly refusal: Refusal | null;
  /** The request's body, where a signature has made it be read; null where it is still to come. */
  readonly body: Uint8Array | null;
};

/** The body for a signature to be checked: its bytes, where there are any to hand on, and their SHA-256, where it is known. */
export type ReadBody = () => Promise<
  { readonly bytes: Uint8Array | null; readonly sha256: string | null } | Refusal
>;

/** From the top down, until something is refused; `found` has what was found out either way. */
export async function decide(
  asked: RequestHead,
  { target, route }: { readonly target: Target; readonly route: Route },
  court: DecideDeps,
  found: Findings,
  readBody: ReadBody,
): Promise<RequestDecision | Refusal> {
  found.route = route;
  const badMethod = checkMethod(route.route, asked);
  if (badMethod) return badMethod;

  // Client: a hint.
  const client = detectClient(asked.headers);
  found.client = client;

  // Identity: whose credential it is, and which key the provider gets.
  const calling = await identifyCaller(asked.headers, court, found);
  if (calling instanceof Refusal) return calling;
  const { actor, presented, delegation } = calling;
  const random = (): number => fraction(court.randomUuid());
  const credential = chooseCredential(route.provider, actor, presented, random);
  if (credential instanceof Refusal) return credential;
  found.credential = credential;

  // Initiator: on whose account.
  const isCoderAgents = client.name === CODER_AGENTS;
  const speaker = { actor, isCoderAgents, isDelegating: delegation !== null };
  const decided = await decideInitiatorOf(speaker, asked, target, court, readBody);
  if (decided instanceof Refusal) return decided;
  const { decision, body } = decided;
  const flags = detectFlags(isCoderAgents && delegation === null, asked.headers, decision.initiator);
  found.decision = decision;
  found.flags = flags;
  const { owner } = decision.initiator;
  const refusal = typeof owner === "object" ? refusalOnInvalid(owner.rejected, court.config.assertion) : null;
  return { client, actor, delegation, credential, decision, flags, body, refusal };
}

type IdentifiedCaller = {
  readonly actor: Actor;
  readonly presented: Credential;
  readonly delegation: Delegation | null;
};

/** By its credential; or by the key of a gateway that delegates, beside which any other is the client's own. */
async function identifyCaller(
  headers: Headers,
  { config: { sources }, delegate }: DecideDeps,
  found: Findings,
): Promise<IdentifiedCaller | Refusal> {
  const delegation = delegate && (await delegate(headers));
  if (delegation instanceof Refusal) return delegation;
  found.delegation = delegation;
  const sent = await readCredential(headers, sources);
  const presented = delegation ? delegatedCredential(delegation, sent) : sent;
  if (presented instanceof Refusal) return presented;
  found.presented = presented;
  const actor = delegation?.actor ?? (await identify(presented, sources));
  if (actor instanceof Refusal) return actor;
  found.actor = actor;
  return { actor, presented, delegation };
}

/** The headers decide; only where they leave a signature to be checked is the body read for it, whole. */
async function decideInitiatorOf(
  speaker: Parameters<typeof readOwnerClaim>[0],
  { method, headers }: RequestHead,
  { path, search }: Target,
  { config: { assertion }, verifiers: witnesses, now }: DecideDeps,
  readBody: ReadBody,
): Promise<{ readonly decision: Decision; readonly body: Uint8Array | null } | Refusal> {
  const claim = readOwnerClaim(speaker, { method, uri: path + search, headers }, now());
  const decision = decideInitiator(claim, assertion);
  if (decision.needs === null) return { decision, body: null };
  const body = decision.needs === "signature" ? await readBody() : null;
  if (body instanceof Refusal) return body;
  return {
    decision: await verifyAssertion(claim, assertion, witnesses, body?.sha256 ?? null),
    body: body?.bytes ?? null,
  };
}

/** What refuses a body that has to be read whole before a byte of it is: compressed, too large, or none to forward. */
export function checkUnreadBody(
  { method, headers }: RequestHead,
  { route }: Route,
  limit: number,
): Refusal | null {
  const isRead = route.kind === "intercept";
  const refusal = isRead ? rejectEncodedBody(headers) : takesNoBody(method) ? rejectBody(headers) : null;
  return refusal ?? checkDeclaredLength(headers, limit);
}

export const takesNoBody = (method: string): boolean => method === "GET" || method === "HEAD";

/** From 0 up to 1, out of a random UUID's first 32 bits. */
function fraction(uuid: string): number {
  return Number.parseInt(uuid.slice(0, 8), 16) / 2 ** 32;
}
