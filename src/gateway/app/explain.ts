/**
 * Judges a request that is only described, by the very steps that a real one goes through. Forwards nothing, records
 * nothing, reads no body, and uses up no signature: the replay cache is taken to say that it is the first.
 */
import type { Described, Judgement } from "../../records/api/contract.ts";
import { Refusal } from "../../shared/refusal.ts";
import {
  findPlace,
  judge,
  nothingFound,
  refuseUnread,
  type Asked,
  type Court,
  type Findings,
} from "./decide.ts";
import type { Parts } from "./deps.ts";

/** Identity sources and the directory are asked as ever, and what they answer is kept as ever. */
export function explainer(parts: Parts): (described: Described) => Promise<Judgement> {
  const { witnesses } = parts;
  const nonces = witnesses.nonces && (() => Promise.resolve("first" as const));
  const court: Court = { ...parts, witnesses: { ...witnesses, nonces } };
  return async (described) => {
    const { method, path, headers } = described;
    // As a request's URL is made: of the Host header, whatever it says, and the target.
    const asked = { method, url: `https://${headers.get("host") ?? "described.invalid"}${path}`, headers };
    const place = findPlace(asked, court);
    const found = nothingFound();
    const refusal =
      place.is === "provider"
        ? await refusalOf(asked, place, court, found, described.bodySha256)
        : place.is === "nowhere"
          ? place.refusal
          : null;
    return { ...found, place: place.is, delegates: parts.delegate !== null, refusal };
  };
}

async function refusalOf(
  asked: Asked,
  place: Parameters<typeof judge>[1],
  court: Court,
  found: Findings,
  sha256: string | null,
): Promise<Refusal | null> {
  const unread = refuseUnread(asked, place.route, court.config.limits.bodyBytes);
  const body = unread ?? { bytes: null, sha256 };
  const judged = await judge(asked, place, court, found, () => Promise.resolve(body));
  if (judged instanceof Refusal) return judged;
  return judged.refusal ?? (place.route.route.kind === "intercept" ? unread : null);
}
