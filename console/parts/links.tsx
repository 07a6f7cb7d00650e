/** Every id is a link to what it names. */
import type { ComponentChildren, VNode } from "preact";
import type { Changes } from "../app/location.ts";
import { useDrillLink } from "../app/use-link.ts";
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

/** A page of one principal has these filters already. */
export const OWN_FILTERS = {
  initiator: { initiator: null, initiator_source: null },
  actor: { actor: null, identity_source: null },
} as const;

/** A person or a service: the name with the id beside it. */
export function Principal({ id, source, name, as = "initiator" }: PrincipalProps): VNode {
  const link = useDrillLink();
  if (id == null) return NOT_KNOWN;
  const hasName = name != null && name !== "" && name !== id;
  return (
    <span class="principal">
      <a href={link("/people/one", { ...OWN_FILTERS[as], as, source: source ?? "", id })}>
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

/** The name of an actor, in the metadata of its requests. */
export function actorNameIn(metadata: Readonly<Record<string, unknown>>): string | null {
  const name = metadata["actor_name"];
  return typeof name === "string" ? name : null;
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
    <DrillLink path={`/interceptions/${encodeURIComponent(id)}`}>
      <Id value={id} />
    </DrillLink>
  );
}

type DrillLinkProps = {
  readonly path: string;
  readonly query?: Changes;
  readonly children: ComponentChildren;
};

/** A link to a page of the console that keeps the range, and in a list the filters that it has too. */
export function DrillLink({ path, query, children }: DrillLinkProps): VNode {
  const link = useDrillLink();
  return <a href={link(path, query)}>{children}</a>;
}

/** A value that is itself a filter of a list. */
export function FilterLink(props: {
  readonly path: string;
  readonly name: string;
  readonly value: string | null | undefined;
}): VNode {
  const { path, name, value } = props;
  if (value == null || value === "") return NOT_KNOWN;
  return (
    <DrillLink path={path} query={{ [name]: value }}>
      <Text value={value} max={60} />
    </DrillLink>
  );
}
