/** Every id is a link to what it names. */
import type { VNode } from "preact";
import { hrefOf } from "../app/location.ts";
import { Text } from "../text/text.tsx";
import { UNKNOWN } from "../text/format.ts";

export const NOT_KNOWN = (
  <span class="muted">
    <span aria-hidden="true">{UNKNOWN}</span>
    <span class="visually-hidden">not known</span>
  </span>
);

type PrincipalProps = {
  readonly id: string | null | undefined;
  readonly source: string | null | undefined;
  readonly name?: string | null | undefined;
  /** `initiator` or `actor`: which of the two pages. */
  readonly as?: "initiator" | "actor";
};

/** The address of a principal's page. */
export const principalHref = (as: "initiator" | "actor", source: string, id: string): string =>
  hrefOf("/people/one", { as, source, id });

/** A person or a service: the name with the id beside it. */
export function Principal({ id, source, name, as = "initiator" }: PrincipalProps): VNode {
  if (id == null) return NOT_KNOWN;
  const hasName = name != null && name !== "" && name !== id;
  return (
    <span class="principal">
      <a href={principalHref(as, source ?? "", id)}>
        {hasName ? <Text value={name} max={80} /> : <Id value={id} />}
      </a>
      <span class="beside">
        {hasName && (
          <>
            <Id value={id} />{" "}
          </>
        )}
        {source != null && source !== "" && <Text value={source} max={40} />}
      </span>
    </span>
  );
}

/** An id in full on hover; a long one is shown by its ends. */
export function Id({ value }: { readonly value: string }): VNode {
  const isLong = value.length > 24;
  return (
    <code class="id" title={isLong ? value.slice(0, 300) : undefined}>
      {isLong ? (
        <>
          <Text value={value.slice(0, 8)} />…<Text value={value.slice(-8)} />
        </>
      ) : (
        <Text value={value} />
      )}
    </code>
  );
}

export function InterceptionLink({ id }: { readonly id: string }): VNode {
  return (
    <a href={hrefOf(`/interceptions/${encodeURIComponent(id)}`)}>
      <Id value={id} />
    </a>
  );
}

/** A value that is itself a filter of the list of sessions or another list. */
export function FilterLink(props: {
  readonly path: string;
  readonly name: string;
  readonly value: string | null | undefined;
}): VNode {
  const { path, name, value } = props;
  if (value == null || value === "") return NOT_KNOWN;
  return (
    <a href={hrefOf(path, { [name]: value })}>
      <Text value={value} max={60} />
    </a>
  );
}
