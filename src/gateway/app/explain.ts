/**
 * Judges a request that is only described, by the very steps that a real one goes through. Forwards nothing, records
 * nothing, reads no body, and uses up no signature: the replay cache is taken to say that it is the first.
 */
import type { ExplainInput, Explanation } from "../../records/api/contract.ts";
import { Refusal } from "../../shared/refusal.ts";
import {
  findDestination,
  decide,
  emptyFindings,
  checkUnreadBody,
  type RequestHead,
  type DecideDeps,
  type Findings,
} from "./decide.ts";
import type { Deps } from "./deps.ts";

/** Identity sources and the directory are asked as ever, and what they answer is kept as ever. */
export function createExplain(parts: Deps): (described: ExplainInput) => Promise<Explanation> {
  const { verifiers: witnesses } = parts;
  const nonces = witnesses.replayCache && (() => Promise.resolve("first" as const));
  const court: DecideDeps = { ...parts, verifiers: { ...witnesses, replayCache: nonces } };
  return async (described) => {
    const { method, path, headers } = described;
    // As a request's URL is made: of the Host header, whatever it says, and the target.
    const asked = { method, url: `https://${headers.get("host") ?? "described.invalid"}${path}`, headers };
    const place = findDestination(asked, court);
    const found = emptyFindings();
    const refusal =
      place.is === "provider"
        ? await decideDescribed(asked, place, court, found, described.bodySha256)
        : place.is === "not_found"
          ? place.refusal
          : null;
    return { ...found, destination: place.is, delegates: parts.delegate !== null, refusal };
  };
}

async function decideDescribed(
  asked: RequestHead,
  place: Parameters<typeof decide>[1],
  court: DecideDeps,
  found: Findings,
  sha256: string | null,
): Promise<Refusal | null> {
  const unread = checkUnreadBody(asked, place.route, court.config.limits.bodyBytes);
  const body = unread ?? { bytes: null, sha256 };
  const judged = await decide(asked, place, court, found, () => Promise.resolve(body));
  if (judged instanceof Refusal) return judged;
  return judged.refusal ?? (place.route.route.kind === "intercept" ? unread : null);
}
