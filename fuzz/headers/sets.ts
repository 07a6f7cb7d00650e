/** Random header sets: names that must be removed, names that must be forwarded, and names close to a removed one. */
import { chance, pick, several, type Random } from "../random.ts";

export type Pair = readonly [name: string, value: string];
export type HeaderCase = {
  readonly direction: "to the provider" | "to the client";
  readonly pairs: readonly Pair[];
  readonly reframed: boolean;
};

export const HOP_BY_HOP =
  "connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding upgrade".split(
    " ",
  );
const CREDENTIALS = "authorization x-api-key api-key x-goog-api-key coder-session-token cookie cookie2".split(
  " ",
);
/** Headers about the caller's address, the request's route, or a rewritten method or URL. */
const ABOUT_CALLER =
  "host content-length accept-encoding expect forwarded forwarded-for x-forwarded x-original-forwarded-for x-original-host x-remote-ip x-remote-addr x-envoy-external-address fastly-client-ip x-http-method-override x-method-override via cdn-loop x-real-ip true-client-ip x-client-ip x-cluster-client-ip x-original-url x-rewrite-url x-interception-id exposed-credential-check malicious-uploads-detection".split(
    " ",
  );
const PREFIXES = ["cf-", "cloudflare-workers-", "x-forwarded-", "x-coder-"];
export const TO_CLIENT = ["set-cookie", "set-cookie2", "x-interceptor-error", "x-coder-ai-gateway-error"];
/** The names, of those below, that a provider of the dialect `openai` receives beside a central key. */
export const TO_PROVIDER =
  "accept content-type user-agent openai-beta x-stainless-os x-stainless-retry-count idempotency-key session_id session-id originator content-encoding".split(
    " ",
  );
const FORWARDED =
  "accept content-type user-agent anthropic-version anthropic-beta openai-organization openai-project openai-beta x-stainless-os x-stainless-retry-count x-request-id request-id retry-after retry-after-ms x-should-retry x-ratelimit-limit-requests anthropic-ratelimit-tokens-reset idempotency-key traceparent x-app session_id session-id originator content-encoding date server etag".split(
    " ",
  );
/** Names close to those above. */
const NEAR_MISSES =
  "cfx-ray xcf-ray cf x-forwardedfor x-coder xx-coder-a authorization2 x-api-keys tee trailers x-cookie upgrade2 hosts x-via".split(
    " ",
  );

const SUFFIXES = [
  "ray",
  "ipcountry",
  "owner-id",
  "chat-id",
  "for",
  "host",
  "proto",
  "connecting-ip",
  "ai-governance-token",
  "session-token",
  "x",
  "a-b",
];

function randomName(random: Random): string {
  const kind = random();
  if (kind < 0.1) return pick(random, HOP_BY_HOP);
  if (kind < 0.2) return pick(random, CREDENTIALS);
  if (kind < 0.3) return pick(random, ABOUT_CALLER);
  if (kind < 0.45) return pick(random, PREFIXES) + pick(random, SUFFIXES);
  if (kind < 0.5) return pick(random, TO_CLIENT);
  if (kind < 0.7) return pick(random, FORWARDED);
  if (kind < 0.8) return pick(random, NEAR_MISSES);
  return `x-${several(random, 1, 3, () => pick(random, ["a", "foo", "1", "!#$%&'*+.^`|~"])).join("-")}`;
}

/** The same name in another spelling. */
function respell(random: Random, name: string): string {
  const other = chance(random, 0.15) ? name.replaceAll("-", () => (chance(random, 0.6) ? "_" : "-")) : name;
  return chance(random, 0.3)
    ? other.replaceAll(/[a-z]/g, (letter) => (chance(random, 0.5) ? letter.toUpperCase() : letter))
    : other;
}

/** Visible ASCII, inner spaces and Latin-1. */
function randomValue(random: Random): string {
  const word = (): string =>
    several(random, 1, 8, () =>
      String.fromCharCode(
        chance(random, 0.95) ? 0x21 + Math.floor(random() * 94) : 0xa1 + Math.floor(random() * 94),
      ),
    ).join("");
  return several(random, 0, 4, word).join(pick(random, [" ", ", ", "\t", ";"]));
}

function connectionValue(random: Random, names: readonly string[]): string {
  const listed = several(random, 0, 4, () =>
    names.length > 0 && chance(random, 0.7)
      ? pick(random, names)
      : pick(random, ["close", "keep-alive", "Keep-Alive", "x-none", "", "upgrade"]),
  );
  return listed
    .map((name) => recase(random, name) + pick(random, ["", "", " ", "\t"]))
    .join(pick(random, [",", ", ", " , "]));
}

const recase = (random: Random, name: string): string => (chance(random, 0.3) ? name.toUpperCase() : name);

export function randomSet(random: Random): HeaderCase {
  const pairs = several(random, 0, 14, (): Pair => {
    const name = respell(random, randomName(random));
    return [name, randomValue(random)];
  });
  const names = pairs.map(([name]) => name);
  if (chance(random, 0.5)) pairs.push(["Connection", connectionValue(random, names)]);
  if (chance(random, 0.1))
    pairs.push([
      "via",
      pick(random, [
        "1.1 ai-edge-interceptor",
        "1.0 a, 1.1 ai-edge-interceptor (x)",
        "1.1 xai-edge-interceptor",
      ]),
    ]);
  return {
    direction: chance(random, 0.5) ? "to the provider" : "to the client",
    pairs,
    reframed: chance(random, 0.3),
  };
}
