/** Keys: `/` moves to the filter, `g` and a letter to a page. None applies while a field has the focus. */
import { useEffect } from "preact/hooks";
import { useLocation } from "preact-iso/router";
import { useRangeLink } from "./use-link.ts";

export const SHORTCUTS: Readonly<Record<string, string>> = {
  o: "/",
  p: "/people",
  s: "/sessions",
  l: "/live",
  b: "/budgets",
  w: "/overrides",
  a: "/anomalies",
  v: "/providers",
  e: "/explain",
};

/** The element that `/` moves to. */
export const FILTER_ID = "filter-value";

const isField = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && target.matches("input, textarea, select, [contenteditable]");

export function useShortcuts(): void {
  const { route } = useLocation();
  const link = useRangeLink();
  useEffect(() => {
    let afterG = false;
    const onKey = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.metaKey || event.altKey || isField(event.target)) return;
      const target = afterG ? SHORTCUTS[event.key] : undefined;
      afterG = event.key === "g";
      if (event.key === "/") {
        const filter = document.getElementById(FILTER_ID);
        if (filter === null) return;
        event.preventDefault();
        filter.focus();
      } else if (target !== undefined) route(link(target));
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [route, link]);
}
