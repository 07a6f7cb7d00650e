/** One or several exchanges, played one after another, and the rows that there are in the ledger then. */
import { json, sse } from "./calls.ts";
import type { Rows } from "./ledger-database.ts";
import { EVERYTHING } from "./ledgered-app.ts";
import { wholeBody } from "./upstream-body.ts";
import { utf8 } from "./values.ts";

export type Exchange = {
  readonly path: string;
  readonly init: RequestInit;
  /** Comes 40 ms after the request; null: nobody is to be asked. */
  readonly answer: (() => Response) | null;
  /** When the request comes, in milliseconds after 12:00. */
  readonly at?: number;
};

export type Case = {
  readonly name: string;
  readonly vars: Readonly<Record<string, unknown>>;
  readonly exchanges: readonly Exchange[];
  readonly rows: Rows;
};

export const RECORDED = { RECORDING: EVERYTHING };

export const streamed = (text: string) => (): Response => sse(wholeBody(text));
export const whole =
  (text: string, status = 200) =>
  (): Response =>
    json(text, { status });
export const size = (text: string): number => utf8(text).length;
