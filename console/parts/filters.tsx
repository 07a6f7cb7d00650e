/** The filters of a list. They are the parameters of the address, with the names that the API gives them. */
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { PARAMETERS } from "../api/schema.ts";
import type { Path, Query } from "../api/types.ts";
import { CURSORS, usePageQuery, withoutCursors, type PageQuery } from "../app/location.ts";
import { FILTER_ID } from "../app/shortcuts.ts";
import { Text } from "../text/text.tsx";
import { visibleText } from "../text/visible.ts";

/** Parameters that other controls of a page set, or that no list of the console offers. */
const NOT_FILTERS: ReadonlySet<string> = new Set(
  CURSORS.concat(
    ["started_after", "started_before", "seen_after", "seen_before", "q", "limit", "format", "order"],
    ["group_by", "then_by", "columns", "own_key_rejected", "per", "from", "content"],
  ),
);

type Filter = { readonly name: string; readonly values: readonly string[] | null };

const wordsOf = (name: string): string => name.replaceAll("_", " ");

export const filtersOf = (path: Path): readonly Filter[] =>
  Object.entries(PARAMETERS[path] as Readonly<Record<string, readonly string[] | null>>)
    .filter(([name]) => !NOT_FILTERS.has(name))
    .map(([name, values]) => ({ name, values }));

/** The filters and cursors of the address that the endpoint has; others are of another part of the page. */
export function filtersIn(query: Pick<PageQuery, "entries">, path: Path): Query {
  const known: ReadonlySet<string> = new Set(Object.keys(PARAMETERS[path]));
  return Object.fromEntries(
    query.entries.filter(([name]) => known.has(name) && (!NOT_FILTERS.has(name) || CURSORS.includes(name))),
  );
}

export function Filters({ path }: { readonly path: Path }): VNode {
  const query = usePageQuery();
  const filters = filtersOf(path);
  const active = query.entries.filter(([name]) => filters.some((filter) => filter.name === name));
  return (
    <div class="filters" role="search" aria-label="Filters">
      <AddFilter filters={filters} />
      {active.length > 0 && (
        <ul aria-label="Active filters">
          {active.map(([name, value]) => (
            <li key={name}>
              {wordsOf(name)}: <Text value={value} max={60} />
              <a
                href={query.href({ ...withoutCursors, [name]: null })}
                aria-label={`Remove the filter ${wordsOf(name)}: ${visibleText(value).slice(0, 60)}`}
              >
                ×
              </a>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

function AddFilter({ filters }: { readonly filters: readonly Filter[] }): VNode {
  const query = usePageQuery();
  const [name, setName] = useState(filters[0]?.name ?? "");
  const values = filters.find((filter) => filter.name === name)?.values ?? null;
  const submit = (event: Event): void => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const value = String(new FormData(form).get("value") ?? "").trim();
    if (value === "") return;
    query.set({ ...withoutCursors, [name]: value });
    form.reset();
  };
  return (
    <form onSubmit={submit}>
      <label>
        <span class="visually-hidden">Filter by</span>
        <select value={name} onChange={(event) => setName(event.currentTarget.value)}>
          {filters.map((filter) => (
            <option key={filter.name} value={filter.name}>
              {wordsOf(filter.name)}
            </option>
          ))}
        </select>
      </label>
      <label>
        <span class="visually-hidden">Value of the filter</span>
        {values === null ? (
          <input
            id={FILTER_ID}
            name="value"
            placeholder="exact value  ( / )"
            maxLength={256}
            autocomplete="off"
          />
        ) : (
          <select id={FILTER_ID} name="value">
            {values.map((value) => (
              <option key={value} value={value}>
                {wordsOf(value)}
              </option>
            ))}
          </select>
        )}
      </label>
      <button type="submit">Add filter</button>
    </form>
  );
}
