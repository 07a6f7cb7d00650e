/** Data of the API for a component. Going back shows what was there before, at once, while it is fetched again. */
import { useCallback, useEffect, useState } from "preact/hooks";
import { addressOf, ApiError, getPage, type Page } from "./client.ts";
import type { Responses } from "./schema.ts";
import type { Path, Query } from "./types.ts";

export type Loaded<T> = {
  readonly data: T | null;
  readonly next: Page<T>["next"];
  readonly error: ApiError | null;
  readonly isLoading: boolean;
  readonly reload: () => void;
};

type State = {
  readonly address: string;
  readonly page: Page<unknown> | null;
  readonly error: ApiError | null;
};

const MAX_KEPT = 60;
const kept = new Map<string, Page<unknown>>();
const listeners = new Set<() => void>();

/** Called when the server says that the session has ended. */
export function onSignedOut(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Called at the end of a session, so that no record stays in memory. */
export const forgetResponses = (): void => kept.clear();

/** @param query null: nothing is fetched. */
export function useApi<P extends Path>(path: P, query: Query | null): Loaded<Responses[P]> {
  const address = query === null ? "" : addressOf(path, query);
  const [state, setState] = useState<State>({ address: "", page: null, error: null });
  const [attempt, setAttempt] = useState(0);
  useEffect(() => {
    if (query === null) return;
    let isGone = false;
    const request = begin(address, (signal) => getPage(path, query, signal));
    request.page.then(
      (page) => {
        keep(address, page);
        if (!isGone) setState({ address, page, error: null });
      },
      (error: unknown) => {
        if (isGone) return;
        const known = error instanceof ApiError ? error : new ApiError(String(error), { status: 0 });
        if (known.status === 401) for (const listener of listeners) listener();
        setState({ address, page: null, error: known });
      },
    );
    return () => {
      isGone = true;
      leave(address, request);
    };
    // The address says everything about path and query.
  }, [address, attempt]);
  const reload = useCallback(() => {
    setState((before) => ({ ...before, error: null }));
    setAttempt((before) => before + 1);
  }, []);
  const isCurrent = state.address === address && address !== "";
  const page = (isCurrent ? state.page : null) ?? kept.get(address) ?? null;
  return {
    data: (page?.data ?? null) as Responses[P] | null,
    next: page?.next ?? null,
    error: isCurrent ? state.error : null,
    isLoading: address !== "" && !(isCurrent && (state.page !== null || state.error !== null)),
    reload,
  };
}

/** A request that several components wait for. Each read of records is an event, so that equal ones are made once. */
type Pending = { readonly page: Promise<Page<unknown>>; readonly abort: AbortController; waiting: number };

const pending = new Map<string, Pending>();

function begin(address: string, get: (signal: AbortSignal) => Promise<Page<unknown>>): Pending {
  const known = pending.get(address);
  if (known) {
    known.waiting += 1;
    return known;
  }
  const abort = new AbortController();
  const request: Pending = { page: get(abort.signal), abort, waiting: 1 };
  pending.set(address, request);
  const end = (): void => forget(address, request);
  request.page.then(end, end);
  return request;
}

/** The last component that waits for a request aborts it. */
function leave(address: string, request: Pending): void {
  request.waiting -= 1;
  if (request.waiting > 0) return;
  request.abort.abort();
  forget(address, request);
}

function forget(address: string, request: Pending): void {
  if (pending.get(address) === request) pending.delete(address);
}

function keep(address: string, page: Page<unknown>): void {
  kept.delete(address);
  kept.set(address, page);
  const [oldest] = kept.keys();
  if (kept.size > MAX_KEPT && oldest !== undefined) kept.delete(oldest);
}
