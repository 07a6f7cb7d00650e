/** One group of `GET /spend`, of its row. */
import { toEvidence } from "./evidence.ts";
import type { Row } from "./kit/query-ledger.ts";
import { number, textOrNull } from "./kit/row-mapper.ts";
import { toCounts } from "./tokens.ts";

export type SpendResult = ReturnType<typeof toSpendResult>;

export function toSpendResult(row: Row, hasSecond: boolean) {
  const keyOf = (prefix: "" | "then_") => ({
    key: textOrNull(row[`${prefix}key`]),
    source: textOrNull(row[`${prefix}source`]),
    name: textOrNull(row[`${prefix}name`]),
  });
  return {
    ...keyOf(""),
    second: hasSecond ? keyOf("then_") : null,
    cost_micros: number(row["cost_micros"]),
    unpriced: number(row["unpriced"]),
    requests: number(row["requests"]),
    ...toCounts(row),
    ...toEvidence(row),
  };
}
