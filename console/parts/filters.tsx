/** The filters of a list. They are the parameters of the address, with the names that the API gives them. */
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import type { Path } from "../api/types.ts";
import { filtersOf, type Filter } from "../app/filter-names.ts";
import { usePageQuery, withoutCursors } from "../app/location.ts";
import { FILTER_ID } from "../app/shortcuts.ts";
import { useNames, useNamesOf, type Named } from "../app/use-names.ts";
import { Text } from "../text/text.tsx";
import { visibleText } from "../text/visible.ts";

const wordsOf = (name: string): string => name.replaceAll("_", " ");

/** The filters whose values are ids of principals. */
const PRINCIPALS: Readonly<Record<string, "initiator" | "actor">> = {
  initiator: "initiator",
  owner: "initiator",
  actor: "actor",
};

type FiltersProps = {
  readonly path: Path;
  /** Filters that the page sets itself. */
  readonly without?: readonly string[];
};

export function Filters({ path, without = [] }: FiltersProps): VNode {
  const query = usePageQuery();
  const filters = filtersOf(path).filter(({ name }) => !without.includes(name));
  const active = query.entries.filter(([name]) => filters.some((filter) => filter.name === name));
  return (
    <div class="filters" role="search" aria-label="Filters">
      <AddFilter filters={filters} />
      {active.length > 0 && (
        <ul aria-label="Active filters">
          {active.map(([name, value]) => (
            <Active key={name} name={name} value={value} />
          ))}
        </ul>
      )}
    </div>
  );
}

function Active({ name, value }: { readonly name: string; readonly value: string }): VNode {
  const query = usePageQuery();
  const side = PRINCIPALS[name] ?? null;
  const source = query.get(side === "actor" ? "identity_source" : "initiator_source");
  const named = useNames(side).filter((one) => one.id === value && (source ?? one.source) === one.source);
  return (
    <li>
      {wordsOf(name)}: <Text value={named.length === 1 && named[0] ? named[0].name : value} max={60} />
      <a
        href={query.href({ ...withoutCursors, [name]: null })}
        aria-label={`Remove the filter ${wordsOf(name)}: ${visibleText(value).slice(0, 60)}`}
      >
        ×
      </a>
    </li>
  );
}

/** The id that a text names, which is the text itself where no principal has the name; null where several have it. */
function idOf(text: string, names: readonly Named[]): string | null {
  const wanted = text.toLowerCase();
  const ids = new Set(names.filter(({ name }) => name.toLowerCase() === wanted).map(({ id }) => id));
  const [id = text] = ids;
  return ids.size > 1 ? null : id;
}

/** Why a text may not be what the person means. A part of a name can be the id of another principal, who has no name. */
function issueOf(text: string, id: string | null, names: readonly Named[]): string | null {
  if (id === null) return "Several principals have this name. Choose one from the list.";
  const isKnown = id !== text || names.some((one) => one.id === text);
  const isPart = names.some(({ name }) => name.toLowerCase().includes(text.toLowerCase()));
  return !isKnown && isPart
    ? "This is a part of a name. Choose one from the list, or add it once more as an id."
    : null;
}

function AddFilter({ filters }: { readonly filters: readonly Filter[] }): VNode {
  const query = usePageQuery();
  const [name, setName] = useState(filters[0]?.name ?? "");
  const [hasFocus, setHasFocus] = useState(false);
  const principals = PRINCIPALS[name] ?? null;
  const { names, isLoading } = useNamesOf(hasFocus ? principals : null);
  const values = filters.find((filter) => filter.name === name)?.values ?? null;
  const submit = (event: Event): void => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const field = form.elements.namedItem("value");
    if (field instanceof HTMLInputElement) field.setCustomValidity("");
    const text = String(new FormData(form).get("value") ?? "").trim();
    if (text === "") return;
    const value = principals === null ? text : idOf(text, names);
    const issue = principals === null ? null : issueOf(text, value, names);
    if (issue !== null && field instanceof HTMLInputElement && field.dataset["tried"] !== text) {
      // Sent once more, the text counts as an id.
      field.dataset["tried"] = text;
      field.setCustomValidity(issue);
      field.reportValidity();
      return;
    }
    query.set({ ...withoutCursors, [name]: value ?? text });
    form.reset();
  };
  return (
    // The browser would block the second attempt, which takes the text as an id.
    <form onSubmit={submit} noValidate>
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
        <Value values={values} isName={principals !== null} onFocus={() => setHasFocus(true)} />
      </label>
      {principals !== null && <Suggestions names={names} />}
      <button type="submit" disabled={isLoading}>
        Add filter
      </button>
    </form>
  );
}

type ValueProps = {
  readonly values: readonly string[] | null;
  /** Whether it is the id or the name of a principal. */
  readonly isName: boolean;
  readonly onFocus: () => void;
};

function Value({ values, isName, onFocus }: ValueProps): VNode {
  if (values === null)
    return (
      <input
        id={FILTER_ID}
        name="value"
        list={isName ? NAMES_ID : undefined}
        placeholder={isName ? "name or id  ( / )" : "exact value  ( / )"}
        maxLength={256}
        autocomplete="off"
        onFocus={onFocus}
        onInput={(event) => event.currentTarget.setCustomValidity("")}
      />
    );
  return (
    <select id={FILTER_ID} name="value">
      {values.map((value) => (
        <option key={value} value={value}>
          {wordsOf(value)}
        </option>
      ))}
    </select>
  );
}

const NAMES_ID = "filter-names";

function Suggestions({ names }: { readonly names: readonly Named[] }): VNode {
  return (
    <datalist id={NAMES_ID}>
      {names.map(({ id, source, name }) => (
        <option key={`${source} ${id}`} value={id}>
          {visibleText(name).slice(0, 80)}
        </option>
      ))}
    </datalist>
  );
}
