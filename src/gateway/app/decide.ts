/**
 * Everything that is decided about a request before it is forwarded: which client, whose credential, which provider key,
 * and on whose account. Method, path and headers decide; only a signature needs the body's hash. Real requests and
 * described ones (`explain/`) take the same steps, so an explanation of these decisions cannot differ. It writes no event
 * and forwards nothing; an accepted signature is entered into the replay cache.
 */
import type { Flag } from "../../events/vocabulary.ts";
import type { HeaderReader } from "../../shared/http/named-headers.ts";
import type { Target } from "../../shared/http/target.ts";
import { Refusal } from "../../shared/refusal.ts";
import { fraction } from "../../shared/uuid.ts";
import { detectClient, type Client } from "../client/client.ts";
import { CODER_AGENTS } from "../client/clients.ts";
import { readCredential, type Credential } from "../identity/credential.ts";
import { identify, type Actor } from "../identity/identity.ts";
import { decideInitiator, type Decision } from "../initiator/decision.ts";
import { delegatedCredential, type Delegation } from "../initiator/delegation.ts";
import { detectFlags } from "../initiator/flags.ts";
import { refusalOnInvalid } from "../initiator/on-invalid.ts";
import { readOwnerClaim, type OwnerClaim } from "../initiator/owner-claim.ts";
import { verifyAssertion } from "../initiator/verify-assertion.ts";
import { checkMethod } from "../provider/method.ts";
import type { Route } from "../provider/route.ts";
import { chooseCredential } from "../upstream/credential.ts";
import type { UpstreamCredential } from "../upstream/provider-key.ts";
import { checkAmbientBody } from "./ambient-body.ts";
import type { Deps } from "./deps.ts";
import { checkDeclaredLength, rejectBody, rejectUnknownCoding, type RequestBody } from "./request-body.ts";

export type DecideDeps = Pick<
  Deps,
  "config" | "delegate" | "verifiers" | "centralKeys" | "now" | "randomUuid"
>;

/** The decisions so far, filled in step by step. A refusal leaves the later ones null. */
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

/** The method, URL and headers of a request, or of one that `explain` describes. */
export type SentHead = { readonly method: string; readonly url: string; readonly headers: HeaderReader };

/** A request to a provider's route. */
export type ProviderRequest = {
  readonly head: SentHead;
  readonly target: Target;
  readonly route: Route;
  /** Read only where a signature has to be verified. */
  readonly body: Pick<RequestBody, "sha256">;
};

/** The decisions, once every step has succeeded. */
export type RequestDecision = {
  readonly client: Client;
  readonly actor: Actor;
  readonly delegation: Delegation | null;
  readonly credential: UpstreamCredential;
  readonly claim: OwnerClaim;
  readonly decision: Decision;
  readonly flags: readonly Flag[];
  /** The refusal that `on_invalid` demands for an owner that was not accepted; due once that is recorded. */
  readonly refusal: Refusal | null;
};

export async function decide(
  request: ProviderRequest,
  deps: DecideDeps,
  findings: Findings,
): Promise<RequestDecision | Refusal> {
  const { head, route } = request;
  findings.route = route;
  const badMethod = checkMethod(route.route, head);
  if (badMethod) return badMethod;

  // Client: a hint.
  const client = detectClient(head.headers);
  findings.client = client;

  // Identity: the credential's holder, and the key that the provider gets.
  const identified = await identifyActor(head.headers, deps, findings);
  if (identified instanceof Refusal) return identified;
  const { actor, presented, delegation } = identified;
  const badType = checkAmbientBody(head, actor, route);
  if (badType) return badType;
  const credential = chooseCredential(route.provider, actor, presented, {
    central: deps.centralKeys,
    random: () => fraction(deps.randomUuid()),
  });
  if (credential instanceof Refusal) return credential;
  findings.credential = credential;

  // Initiator: on whose account.
  const asserter = { actor, isCoderAgents: client.name === CODER_AGENTS, isDelegating: delegation !== null };
  const uri = request.target.path + request.target.search;
  const claim = readOwnerClaim(asserter, { ...head, uri }, deps.now());
  const decision = await decideOwner(claim, request.body, deps);
  if (decision instanceof Refusal) return decision;
  const flags = detectFlags(claim, decision);
  findings.decision = decision;
  findings.flags = flags;
  const refusal = decision.rejection && refusalOnInvalid(decision.rejection, deps.config.assertion);
  return { client, actor, delegation, credential, claim, decision, flags, refusal };
}

type Identified = {
  readonly actor: Actor;
  readonly presented: Credential;
  readonly delegation: Delegation | null;
};

/** By the request's credential, or by the key of a delegating gateway: any other credential is then the client's own key. */
async function identifyActor(
  headers: HeaderReader,
  { config: { sources }, delegate }: DecideDeps,
  findings: Findings,
): Promise<Identified | Refusal> {
  const delegation = delegate && (await delegate(headers));
  if (delegation instanceof Refusal) return delegation;
  findings.delegation = delegation;
  const sent = await readCredential(headers, sources);
  const presented = delegation ? delegatedCredential(delegation, sent) : sent;
  if (presented instanceof Refusal) return presented;
  findings.presented = presented;
  const actor = delegation?.actor ?? (await identify(presented, sources));
  if (actor instanceof Refusal) return actor;
  findings.actor = actor;
  return { actor, presented, delegation };
}

/** The headers decide. Only where they leave a signature to be verified is the body read and hashed. */
async function decideOwner(
  claim: OwnerClaim,
  body: Pick<RequestBody, "sha256">,
  { config: { assertion }, verifiers }: DecideDeps,
): Promise<Decision | Refusal> {
  const decision = decideInitiator(claim, assertion);
  if (decision.needs === null) return decision;
  const { signature } = claim;
  // Content-Digest is one of the bytes as sent (RFC 9530 §2); Coder's format signs those that the provider reads.
  const form = signature.kind === "presented" && signature.format === "http" ? "sent" : "decoded";
  const sha256 = decision.needs === "signature" ? await body.sha256(form) : null;
  return sha256 instanceof Refusal ? sha256 : verifyAssertion(claim, assertion, verifiers, sha256);
}

/** Refuses a body by its headers, before it is read: in an unknown coding, too large, or with a method that takes none. */
export function checkUnreadBody({ method, headers }: Omit<SentHead, "url">, limit: number): Refusal | null {
  const refusal = takesNoBody(method) ? rejectBody(headers) : rejectUnknownCoding(headers);
  return refusal ?? checkDeclaredLength(headers, limit);
}

export const takesNoBody = (method: string): boolean => method === "GET" || method === "HEAD";
