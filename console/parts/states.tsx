/** The states of a part of a page: loading, failed, empty, and incomplete. */
import type { ComponentChildren, VNode } from "preact";
import type { ApiError } from "../api/client.ts";
import type { Loaded } from "../api/use-api.ts";
import { visibleText } from "../text/visible.ts";
import { Text } from "../text/text.tsx";

type LoadableProps<T> = {
  readonly of: Loaded<T>;
  /** The name of the data, for screen readers: "sessions". */
  readonly what: string;
  /** Keeps the place of the content, in pixels, so that nothing moves when it arrives. */
  readonly height?: number;
  readonly children: (data: T) => ComponentChildren;
};

/** The content once it is there. While newer data is fetched, the content stays. */
export function Loadable<T>({ of, what, height = 200, children }: LoadableProps<T>): VNode {
  if (of.error !== null)
    return <Failure error={of.error} title={`Could not load ${what}.`} retry={of.reload} />;
  return (
    <div aria-busy={of.isLoading} class={of.isLoading && of.data !== null ? "stale" : undefined}>
      {/* Always there, because screen readers announce changes of a region only. */}
      <p class="visually-hidden" role="status">
        {of.isLoading ? `Loading ${what}` : ""}
      </p>
      {of.data === null ? (
        <div class="skeleton" style={{ minHeight: `${height}px` }} aria-hidden="true">
          <span />
          <span />
          <span />
        </div>
      ) : (
        children(of.data)
      )}
    </div>
  );
}

type FailureProps = {
  readonly error: ApiError;
  /** The failure in one sentence: "Could not load sessions." */
  readonly title: string;
  readonly retry?: () => void;
};

export function Failure({ error, title, retry }: FailureProps): VNode {
  return (
    <div class="card error" role="alert">
      <p>
        <strong>{title}</strong> <Text value={error.message} max={600} />
      </p>
      {error.details.length > 0 && (
        <ul>
          {error.details.map((detail) => (
            <li key={detail}>
              <Text value={detail} max={600} />
            </li>
          ))}
        </ul>
      )}
      <p class="muted">
        {error.status > 0 && <>Status {error.status}</>}
        {error.reason !== null && (
          <>
            , reason{" "}
            <code>
              <Text value={error.reason} max={60} />
            </code>
          </>
        )}
        {error.retryAfter !== null && <>. Retry after {visibleText(error.retryAfter).slice(0, 40)} s</>}
      </p>
      {retry && (
        <button type="button" onClick={retry}>
          Retry
        </button>
      )}
    </div>
  );
}

/** Nothing matches, and what to do next. */
export function Empty({
  title,
  children,
}: {
  readonly title: string;
  readonly children?: ComponentChildren;
}): VNode {
  return (
    <div class="empty">
      <p>
        <strong>{title}</strong>
      </p>
      {children}
    </div>
  );
}

/** The gaps in the figures or rows above. */
export function Note({ children }: { readonly children: ComponentChildren }): VNode {
  return (
    <p class="note">
      <span aria-hidden="true">△ </span>
      {children}
    </p>
  );
}

/** In place of recorded content that the session may not read. */
export function ContentHidden(): VNode {
  return (
    <Note>
      Prompts, tool inputs and thoughts are hidden, because this session does not have the scope{" "}
      <code>content</code>.
    </Note>
  );
}
