/** Writes a view as CSV: every row, page by page, with one page in memory. */
import { toCsvLines } from "../../src/shared/csv.ts";
import { ApiError, type ApiClient, type Page, type Query } from "./api-client.ts";
import { totalOf } from "./missing.ts";
import { itemsOf, rowsOf, type View } from "./views.ts";

/** The largest page that the API allows has 1000 rows. */
const PAGE_ROWS = 500;

export type CsvExport = {
  readonly view: View;
  /** The view's path, with its session. */
  readonly path: string;
  readonly by: string;
  /** The filters, without a limit. */
  readonly query: Query;
  /** The maximum number of rows; null for all. */
  readonly limit: number | null;
  /** Resolves once the text is written, so that no more is read than is taken. */
  readonly write: (text: string) => Promise<void>;
};

export type Written = {
  readonly rows: number;
  /** The number of rows that exist, as text; null where all were written. */
  readonly of: string | null;
};

/** Rejects with an error that says how many rows were written before it. */
export async function writeCsv(
  api: ApiClient,
  { view, path, by, query, limit, write }: CsvExport,
): Promise<Written> {
  const columns = view.columns(by);
  const isPaged = view.options.includes("limit");
  let next: Query | null = { ...query, ...view.query?.(by), ...(limit === null ? view.pages : {}) };
  let pageRows = Math.min(PAGE_ROWS, limit ?? PAGE_ROWS);
  let rows = 0;
  let last: unknown;
  let head = [columns.map(({ name }) => name)];
  while (next !== null && rows < (limit ?? Infinity)) {
    const size = Math.min(pageRows, (limit ?? Infinity) - rows);
    const page: Page | null = await readPage(
      api,
      path,
      isPaged ? { ...next, limit: String(size) } : next,
    ).catch((error: unknown) => {
      if (isTooLarge(error) && size > 1) return null;
      throw rows === 0 ? error : incomplete(error, rows);
    });
    // Recorded conversations are large: the API refuses a page of more than 8 MiB.
    if (page === null) pageRows = Math.ceil(size / 2);
    else {
      const items = itemsOf(view, page.body);
      await write(toCsvLines([...head, ...rowsOf(columns, items)]));
      head = [];
      rows += items.length;
      last = page.body;
      next = page.next;
    }
  }
  return { rows, of: next === null ? null : (totalOf(last) ?? "more") };
}

const readPage = (api: ApiClient, path: string, query: Query): Promise<Page> => api.getPage(path, query);

const isTooLarge = (error: unknown): boolean => error instanceof ApiError && error.fields.includes("limit");

function incomplete(error: unknown, rows: number): Error {
  const message = error instanceof Error ? error.message : String(error);
  return new Error(`The CSV is incomplete: it ends after ${rows.toLocaleString("en")} rows. ${message}`);
}
