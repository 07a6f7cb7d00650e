/** Exchanges that run one after another, and the rows that they leave in the ledger. */
import { json, sse } from "./calls.ts";
import type { Rows } from "./ledger-database.ts";
import { RECORD_ALL } from "./ledger-gateway.ts";
import { wholeBody } from "./upstream-body.ts";

export type Exchange = {
  readonly path: string;
  readonly init: RequestInit;
  /** The provider's response, 40 ms after the request. null: the gateway must not call the provider. */
  readonly response: (() => Response) | null;
  /** Arrival of the request, in milliseconds after 12:00. */
  readonly at?: number;
};

export type Case = {
  readonly name: string;
  readonly vars: Readonly<Record<string, unknown>>;
  readonly exchanges: readonly Exchange[];
  readonly rows: Rows;
};

export const RECORDED = { RECORDING: RECORD_ALL };

export const eventStream = (text: string) => (): Response => sse(wholeBody(text));
export const jsonResponse =
  (text: string, status = 200) =>
  (): Response =>
    json(text, { status });
