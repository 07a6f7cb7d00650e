/** The figures and the details of an anomaly in words. Both depend on its kind. */
import { Fragment, type VNode } from "preact";
import { Count } from "../parts/figures.tsx";
import { DrillLink, Id, NOT_KNOWN, OWN_FILTERS } from "../parts/links.tsx";
import { formatCount, formatShare } from "../text/format.ts";
import { Text } from "../text/text.tsx";
import { Time } from "../text/time.tsx";
import { visibleText } from "../text/visible.ts";
import { countText } from "./anomaly-count.ts";

export function AnomalyCount({ kind, count }: { readonly kind: string; readonly count: number }): VNode {
  const text = countText(kind, count);
  return text === null ? <Count value={count} /> : <span>{text}</span>;
}

/** Principals: a source, a colon and an id. */
const PRINCIPALS: Readonly<Record<string, "initiator" | "actor">> = {
  actor: "actor",
  actors: "actor",
  owner: "initiator",
  initiators: "initiator",
};
const SHARES: ReadonlySet<string> = new Set(["share", "share_before"]);

type DetailsProps = { readonly details: Readonly<Record<string, unknown>> };

export function AnomalyDetails({ details }: DetailsProps): VNode {
  return (
    <span>
      {Object.entries(details).map(([name, value], at) => (
        <Fragment key={name}>
          {at > 0 && "; "}
          {visibleText(name.replaceAll("_", " "))}:{" "}
          {(Array.isArray(value) ? value : [value]).map((one: unknown, nth) => (
            <Fragment key={nth}>
              {nth > 0 && ", "}
              <Detail name={name} value={one} />
            </Fragment>
          ))}
        </Fragment>
      ))}
    </span>
  );
}

function Detail({ name, value }: { readonly name: string; readonly value: unknown }): VNode {
  if (value == null) return NOT_KNOWN;
  if (typeof value === "number") return <>{SHARES.has(name) ? formatShare(value) : formatCount(value)}</>;
  if (typeof value !== "string") return <Text value={JSON.stringify(value)} max={80} />;
  const as = PRINCIPALS[name];
  const colon = value.indexOf(":");
  if (as !== undefined && colon > 0)
    return <Party id={value.slice(colon + 1)} source={value.slice(0, colon)} as={as} />;
  return name === "hour" ? <Time at={value} /> : <Text value={value} max={80} />;
}

type PartyProps = { readonly id: string; readonly source: string; readonly as: "initiator" | "actor" };

/** A principal within a line. */
function Party({ id, source, as }: PartyProps): VNode {
  return (
    <>
      <DrillLink path="/people/one" query={{ ...OWN_FILTERS[as], as, source, id }}>
        <Id value={id} />
      </DrillLink>{" "}
      <span class="muted">
        <Text value={source} max={40} />
      </span>
    </>
  );
}
