/** Data as CSV: from the API where it serves it, else of the figures that the page has. */
import type { ComponentChildren, VNode } from "preact";
import { addressOf } from "../api/client.ts";
import type { Path, Query } from "../api/types.ts";
import { toCsvLines, type Table } from "../../src/shared/csv.ts";

type CsvLinkProps = {
  readonly path: Path;
  readonly query: Query;
  /** For screen readers. */
  readonly name: string;
  /** "CSV" by default. */
  readonly children?: ComponentChildren;
};

/** The server names the file, by its contents and its days. */
export function CsvLink({ path, query, name, children }: CsvLinkProps): VNode {
  return (
    <a class="csv" href={addressOf(path, { ...query, format: "csv" })} download>
      {children === undefined ? (
        <>
          CSV<span class="visually-hidden"> of {name}</span>
        </>
      ) : (
        children
      )}
    </a>
  );
}

type Props = {
  /** With a first row of the names of the columns. */
  readonly rows: () => Table["rows"];
  /** The file's, without its ending. */
  readonly name: string;
};

export function CsvButton({ rows, name }: Props): VNode {
  const save = (): void => {
    const address = URL.createObjectURL(new Blob([toCsvLines(rows())], { type: "text/csv;charset=utf-8" }));
    const link = document.createElement("a");
    link.href = address;
    link.download = `${name}.csv`;
    link.click();
    URL.revokeObjectURL(address);
  };
  return (
    <button type="button" class="csv" onClick={save}>
      CSV<span class="visually-hidden"> of {name}</span>
    </button>
  );
}
