/**
 * The directory: whether an owner is an active user of Coder, and under which name. Asks Coder with a lookup token of
 * its own; keeps what it learned for a while, each answer by itself, so that a request never waits for another one's.
 */
import { fetchText } from "../../shared/http/fetch-text.ts";

export type DirectoryOptions = {
  /** Coder's address, without a slash at its end. */
  readonly url: string;
  readonly token: string;
  /** How long an active user is taken for one, and anybody else for none. */
  readonly cacheMs: number;
  readonly negativeMs: number;
  readonly timeoutMs: number;
};

export type DirectoryLookup =
  | { readonly is: "active"; readonly username: string | null }
  | { readonly is: "unknown" | "inactive" | "down" };

/** Never rejects. `id` is an owner's, in its canonical form. */
export type Directory = (id: string) => Promise<DirectoryLookup>;

/** So many of each kind are kept: whoever asks for strangers displaces only strangers. */
const MAX_ENTRIES = 10_000;
/** A user with all its roles and organizations takes a few KB. */
export const MAX_RESPONSE_BYTES = 256 * 1024;

type CacheEntry = { readonly answer: DirectoryLookup; readonly until: number };

export function createCoderDirectory(
  options: DirectoryOptions,
  fetcher: typeof fetch,
  now: () => number,
  /** For what keeps the directory from answering. */
  logError: (line: string) => void,
): Directory {
  const active = new Map<string, CacheEntry>();
  const others = new Map<string, CacheEntry>();
  return async (id) => {
    const kept = active.get(id) ?? others.get(id);
    if (kept && now() < kept.until) return kept.answer;
    active.delete(id);
    others.delete(id);
    // Who is suspended while we ask may still be active in the answer: its time runs from the question.
    const asked = now();
    const answer = await ask(id, options, fetcher);
    if (typeof answer === "string") {
      logError(`directory failed: ${answer}`);
      return { is: "down" };
    }
    if (answer.is === "active") keep(active, id, answer, asked + options.cacheMs);
    else keep(others, id, answer, asked + options.negativeMs);
    return answer;
  };
}

/** In the place of the oldest, where there is no other. */
function keep(kept: Map<string, CacheEntry>, id: string, answer: DirectoryLookup, until: number): void {
  const [oldest] = kept.size >= MAX_ENTRIES ? kept.keys() : [];
  if (oldest !== undefined) kept.delete(oldest);
  kept.set(id, { answer, until });
}

/** What the directory says, or why it says nothing. */
async function ask(
  id: string,
  { url, token, timeoutMs }: DirectoryOptions,
  fetcher: typeof fetch,
): Promise<DirectoryLookup | string> {
  const found = await fetchText(fetcher, {
    url: `${url}/api/v2/users/${id}`,
    headers: { "coder-session-token": token, accept: "application/json" },
    timeoutMs,
    maxBytes: MAX_RESPONSE_BYTES,
  });
  if ("failure" in found) return found.failure;
  // Coder says 404 also of users that the token may not see, and 400 of what is no id to it.
  if (found.status === 404 || found.status === 400) return { is: "unknown" };
  return found.status === 200 ? readUser(id, found.text) : `status ${found.status}`;
}

function readUser(id: string, text: string): DirectoryLookup | string {
  const { id: told, status, username } = parse(text);
  if (typeof told !== "string" || typeof status !== "string") return "its answer is no user";
  // Somebody else's record says nothing of this one.
  if (told.toLowerCase() !== id) return { is: "unknown" };
  if (status !== "active") return { is: "inactive" };
  return {
    is: "active",
    username: typeof username === "string" && USERNAME.test(username) ? username : null,
  };
}

/** Coder's are shorter and plainer; anything else is not put into records. */
const USERNAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Whatever the text is, as an object: an empty one where it is none. */
function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
