/** Whether a response of the records API has every row, and how many there are. */
import { itemsOf, type Item, type View } from "./views.ts";

/** The number of rows on all pages, as text; null where the response does not say it. */
export function totalOf(response: unknown): string | null {
  const { count, count_is_capped } = response as Item;
  if (typeof count !== "number") return null;
  return `${count_is_capped === true ? "more than " : ""}${count.toLocaleString("en")}`;
}

/** @returns `20 of 1,234`; null where the response has every row. */
export function partOf(view: View, response: unknown): string | null {
  const shown = itemsOf(view, response).length;
  const { count, count_is_capped, results_are_capped } = response as Item;
  const isCut = count_is_capped === true || results_are_capped === true || shown < Number(count ?? 0);
  return isCut ? `${shown.toLocaleString("en")} of ${totalOf(response) ?? "more"}` : null;
}
