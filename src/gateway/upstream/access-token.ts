/** An access token that the gateway fetches, kept in the isolate until shortly before it expires. */
import { withDeadline } from "../../shared/deadline.ts";
import { Refusal } from "../../shared/refusal.ts";
import { createSingleFlight } from "../../shared/single-flight.ts";
import type { UnauthorizedRequest } from "./provider-key.ts";

/** A token, or why there is none: a text that holds no secret. */
export type FetchedToken =
  { readonly value: string; readonly lifetimeMs: number } | { readonly failure: string };

export type TokenSource = {
  /**
   * `waitUntil`: of the request. A fetch that it starts goes on where the request ends first, because others wait for it too.
   *
   * @returns the token, or the refusal `upstream_token_unavailable`.
   */
  readonly get: (waitUntil?: UnauthorizedRequest["waitUntil"]) => Promise<string | Refusal>;
  /**
   * The provider rejected the token, which is then replaced. It stays in use where that fails: it may be valid for other requests.
   * One that was just fetched is not replaced: another one would be rejected too.
   */
  readonly rejected: () => void;
};

export type TokenSourceOptions = {
  /** Never rejects. Ends within `timeoutMs`. */
  readonly fetchToken: () => Promise<FetchedToken>;
  readonly timeoutMs: number;
  /** Gets a token before its first use, and why there is none. */
  readonly onToken: (token: string) => void;
  readonly onFailure: (failure: string) => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
};

/** A token is replaced so long before it expires, and is used meanwhile where that fails. */
const REFRESH_MS = 300_000;
/** A token is not used so long before it expires: a request takes a while to arrive. */
const MARGIN_MS = 30_000;
/** No fetch follows a failed one sooner. */
const COOLDOWN_MS = 2000;
/** A request that has a token waits no longer for its replacement. */
const REPLACE_MS = 1000;
/** A younger token is kept where the provider rejects it: any caller may cause a rejection. */
const MIN_AGE_MS = 60_000;

type CurrentToken = {
  readonly value: string;
  readonly since: number;
  readonly refreshAt: number;
  readonly endsAt: number;
};

export function createTokenSource(options: TokenSourceOptions): TokenSource {
  const { fetchToken, timeoutMs, onToken, onFailure, now } = options;
  let held: CurrentToken | null = null;
  let failure: { readonly text: string; readonly at: number } | null = null;
  const runShared = createSingleFlight<void>(timeoutMs, now);

  const refresh = (waitUntil: UnauthorizedRequest["waitUntil"]): Promise<unknown> => {
    const fetching = runShared("", async () => {
      const since = now();
      const fetched = await fetchToken();
      if ("failure" in fetched) {
        failure = { text: fetched.failure, at: now() };
        onFailure(fetched.failure);
        return;
      }
      const { value, lifetimeMs } = fetched;
      onToken(value);
      const before = (ms: number): number => since + lifetimeMs - Math.min(ms, lifetimeMs / 2);
      held = { value, since, refreshAt: before(REFRESH_MS), endsAt: before(MARGIN_MS) };
    });
    waitUntil?.(fetching);
    return fetching;
  };

  return {
    get: async (waitUntil) => {
      if (held !== null && now() < held.refreshAt) return held.value;
      const waitMs = held !== null && now() < held.endsAt ? REPLACE_MS : timeoutMs;
      if (failure === null || now() - failure.at >= COOLDOWN_MS)
        await withDeadline(refresh(waitUntil), waitMs);
      if (held !== null && now() < held.endsAt) return held.value;
      return new Refusal("upstream_token_unavailable", { detail: failure?.text ?? "no response in time" });
    },
    rejected: () => {
      if (held !== null && now() - held.since >= MIN_AGE_MS) held = { ...held, refreshAt: 0 };
    },
  };
}
