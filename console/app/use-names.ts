/** Names of principals, for filters and for lists whose rows have ids only. */
import { useMemo } from "preact/hooks";
import { useApi } from "../api/use-api.ts";
import { useRange } from "./range.tsx";

export type Named = { readonly id: string; readonly source: string | null; readonly name: string };

const LIMIT = 500;

type Names = { readonly names: readonly Named[]; readonly isLoading: boolean };

/**
 * The principals with a name and with requests in the page's range, those with the most requests first.
 * @param as null: none are read.
 */
export function useNamesOf(as: "initiator" | "actor" | null): Names {
  const { started_after, started_before } = useRange();
  const usage = useApi("/usage", as && { started_after, started_before, group_by: as, limit: LIMIT });
  const names = useMemo(
    () =>
      (usage.data?.results ?? []).flatMap(({ key, source, name }): Named[] =>
        key === null || name === null || name === key ? [] : [{ id: key, source, name }],
      ),
    [usage.data],
  );
  return { names, isLoading: usage.isLoading && usage.data === null };
}

export const useNames = (as: "initiator" | "actor" | null): readonly Named[] => useNamesOf(as).names;

export const nameIn = (
  names: readonly Named[],
  id: string | null | undefined,
  source: string | null | undefined,
): string | null => names.find((one) => one.id === id && one.source === source)?.name ?? null;
