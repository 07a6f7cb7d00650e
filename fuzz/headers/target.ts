/**
 * Target `headers`: random header sets in both directions. The expectations follow the documented promise (README,
 * docs/threat-model.md; cases E1 to E7 of the test catalogue), not the lists in the code. Checks:
 *
 * - To the provider: the headers of the allow-list are forwarded verbatim, and no other one in any spelling.
 * - To the client: headers that must not be forwarded are removed in every spelling, and all others are forwarded verbatim.
 */
import { NamedHeaders } from "../../src/shared/http/named-headers.ts";
import { hasLooped, upstreamHeaders } from "../../src/gateway/upstream/request-headers.ts";
import { toClientHeaders } from "../../src/gateway/upstream/response-headers.ts";
import { shorter } from "../shrink.ts";
import type { Target } from "../target.ts";
import { openai } from "../../src/gateway/provider/openai/dialect.ts";
import { HOP_BY_HOP, randomSet, TO_CLIENT, TO_PROVIDER, type HeaderCase, type Pair } from "./sets.ts";

export const headers: Target<HeaderCase> = {
  name: "headers",
  generate: randomSet,
  check: async (one) => ({
    failure: one.direction === "to the provider" ? checkUpstream(one) : checkToClient(one),
    category: one.direction,
  }),
  smaller: function* (one) {
    for (const pairs of shorter(one.pairs)) yield { ...one, pairs };
    for (const [at, [name]] of one.pairs.entries()) yield { ...one, pairs: one.pairs.with(at, [name, "1"]) };
  },
  show: ({ direction, pairs, reframed }) =>
    `${direction}${reframed ? ", reframed" : ""}: ${JSON.stringify(pairs)}`,
};

const CREDENTIAL: Pair = ["authorization", "Bearer the-provider-key"];
const OWNER = "7f3c2a10-1234-4abc-9def-000000000001";

const PROVIDER = {
  name: "openai",
  dialect: openai,
  baseUrl: "https://api.openai.example/v1",
  keys: [],
  keyHeader: null,
  headersMs: null,
  breaker: null,
  concurrency: null,
  fallbacks: [],
  modelIds: new Map(),
  accountHeaders: [],
  injectUsage: true,
  coderHeaders: false,
  keepsCache: false,
  retries: { attempts: 1, deadlineMs: 30_000, waitMs: 500, retryOn: "not_run" as const },
  aiGateway: null,
  actorHeaders: false,
  forwardHeaders: [],
  objects: { read: null, write: null, delete: null },
  models: null,
  filterModels: true,
};
const CODER = { ...PROVIDER, coderHeaders: true };

/** The names that `Connection` lists: RFC 9110 §7.6.1. */
function listedIn(from: Headers): Set<string> {
  return new Set((from.get("connection") ?? "").split(",").map((name) => name.trim().toLowerCase()));
}

function checkUpstream({ pairs, reframed }: HeaderCase): string | null {
  const from = new Headers(pairs as [string, string][]);
  // The promise has an exception for an upstream that is Coder itself. The flag is reused as a random choice here.
  const coderHeaders = reframed;
  const to = upstreamHeaders(new NamedHeaders(from), {
    provider: coderHeaders ? CODER : PROVIDER,
    owner: coderHeaders ? OWNER : null,
    credential: { kind: "centralized", header: CREDENTIAL },
    isChanged: false,
  });
  const listed = listedIn(from);
  const expected = new Map<string, string>([
    ["accept-encoding", "identity"],
    ["via", "1.1 ai-edge-interceptor"],
    ["x-real-ip", "192.0.2.1"],
    [...CREDENTIAL],
  ]);
  if (coderHeaders) expected.set("x-coder-owner-id", OWNER);
  for (const [name, value] of from) {
    const isForCoder = coderHeaders && name === "x-coder-chat-id";
    if ((TO_PROVIDER.includes(name) || isForCoder) && !listed.has(name)) expected.set(name, value);
  }
  const hasMarker = (from.get("via") ?? "")
    .split(",")
    .some((one) => /^\s*\S+\s+ai-edge-interceptor(?:\s|\(|$)/.test(one));
  if (hasMarker && !hasLooped(from)) return "a looped request is not recognized";
  return difference(expected, to);
}

function checkToClient({ pairs, reframed }: HeaderCase): string | null {
  const from = new Headers(pairs as [string, string][]);
  const to = new Headers(from);
  toClientHeaders(to, {
    interceptionId: "the-id",
    isModified: reframed,
    isCentral: false,
    keepsCache: false,
    secrets: null,
  });
  const listed = listedIn(from);
  const expected = new Map<string, string>();
  for (const [name, value] of from) {
    if ([...HOP_BY_HOP, ...TO_CLIENT].includes(name) || listed.has(name)) continue;
    if (reframed && (name === "content-length" || name === "content-encoding")) continue;
    expected.set(name, value);
  }
  expected.set("x-interception-id", "the-id");
  expected.set("cache-control", "private, no-store");
  expected.set("x-content-type-options", "nosniff");
  // No generated response has a type.
  expected.set("content-security-policy", "sandbox; default-src 'none'");
  return difference(expected, to);
}

function difference(expected: ReadonlyMap<string, string>, actual: Headers): string | null {
  const forwarded = new Map(actual);
  for (const [name, value] of forwarded) {
    if (!expected.has(name)) return `${name} is present`;
    // White space at the ends is not part of a value: RFC 9110 §5.5.
    if (expected.get(name)?.trim() !== value.trim())
      return `${name} is ${JSON.stringify(value)}, not ${JSON.stringify(expected.get(name))}`;
  }
  for (const name of expected.keys()) if (!forwarded.has(name)) return `${name} is missing`;
  return null;
}
