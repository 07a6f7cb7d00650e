/**
 * Target `headers`: random header sets both ways. Checked against the promise as it is written down (README, SECURITY.md;
 * catalogue E1 to E7), not against the lists of the code: what must not go on is gone in every spelling, everything else
 * goes on verbatim.
 */
import { hasLooped, upstreamHeaders } from "../../src/gateway/upstream/request-headers.ts";
import { toClientHeaders } from "../../src/gateway/upstream/response-headers.ts";
import { shorter } from "../shrink.ts";
import type { Target } from "../target.ts";
import {
  ABOUT_CALLER,
  CREDENTIALS,
  HOP,
  PREFIXES,
  randomSet,
  TO_CLIENT,
  type HeaderCase,
  type Pair,
} from "./sets.ts";

export const headers: Target<HeaderCase> = {
  name: "headers",
  generate: randomSet,
  check: (one) => ({
    wrong: one.way === "to the provider" ? wrongUpstream(one) : wrongToClient(one),
    sort: one.way,
  }),
  smaller: function* (one) {
    for (const pairs of shorter(one.pairs)) yield { ...one, pairs };
    for (const [at, [name]] of one.pairs.entries()) yield { ...one, pairs: one.pairs.with(at, [name, "1"]) };
  },
  show: ({ way, pairs, reframed }) => `${way}${reframed ? ", reframed" : ""}: ${JSON.stringify(pairs)}`,
};

const CREDENTIAL: Pair = ["authorization", "Bearer the-provider-key"];
const OWNER = "7f3c2a10-1234-4abc-9def-000000000001";

/** Names that `Connection` lists: RFC 9110 §7.6.1. */
function listedIn(from: Headers): Set<string> {
  return new Set((from.get("connection") ?? "").split(",").map((name) => name.trim().toLowerCase()));
}

function wrongUpstream({ pairs, reframed }: HeaderCase): string | null {
  const from = new Headers(pairs as [string, string][]);
  // The second half of the promise's exceptions: an upstream that is Coder itself.
  const coderHeaders = reframed;
  const to = upstreamHeaders(from, {
    coderHeaders,
    owner: coderHeaders ? OWNER : null,
    credential: CREDENTIAL,
  });
  const listed = listedIn(from);
  const expected = new Map<string, string>([
    ["accept-encoding", "identity"],
    ["via", "1.1 ai-edge-interceptor"],
    [...CREDENTIAL],
  ]);
  if (coderHeaders) expected.set("x-coder-owner-id", OWNER);
  for (const [name, value] of from) {
    const plain = name.replaceAll("_", "-");
    const denied = [...HOP, ...CREDENTIALS, ...ABOUT_CALLER].includes(plain) || listed.has(name);
    const prefixed = PREFIXES.some((prefix) => plain.startsWith(prefix));
    const coders =
      coderHeaders &&
      [
        "x-coder-chat-id",
        "x-coder-ray",
        "x-coder-ipcountry",
        "x-coder-for",
        "x-coder-host",
        "x-coder-proto",
        "x-coder-connecting-ip",
        "x-coder-x",
        "x-coder-a-b",
      ].includes(name);
    if (!denied && (!prefixed || coders)) expected.set(name, value);
  }
  const marked = (from.get("via") ?? "")
    .split(",")
    .some((one) => /^\s*\S+\s+ai-edge-interceptor(?:\s|\(|$)/.test(one));
  if (marked && !hasLooped(from)) return "a request that has come round is not recognised";
  return difference(expected, to);
}

function wrongToClient({ pairs, reframed }: HeaderCase): string | null {
  const from = new Headers(pairs as [string, string][]);
  const to = new Headers(from);
  toClientHeaders(to, "the-id", reframed);
  const listed = listedIn(from);
  const expected = new Map<string, string>();
  for (const [name, value] of from) {
    if ([...HOP, ...TO_CLIENT].includes(name) || listed.has(name)) continue;
    if (reframed && (name === "content-length" || name === "content-encoding")) continue;
    expected.set(name, value);
  }
  expected.set("x-interception-id", "the-id");
  return difference(expected, to);
}

function difference(expected: ReadonlyMap<string, string>, found: Headers): string | null {
  const got = new Map(found);
  for (const [name, value] of got) {
    if (!expected.has(name)) return `${name} is there`;
    // Blanks at the ends are not part of a value: RFC 9110 §5.5.
    if (expected.get(name)?.trim() !== value.trim())
      return `${name} is ${JSON.stringify(value)}, not ${JSON.stringify(expected.get(name))}`;
  }
  for (const name of expected.keys()) if (!got.has(name)) return `${name} is missing`;
  return null;
}
