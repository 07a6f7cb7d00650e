/** `npm run reprice`: computes the costs of recorded calls again, and books those that differ as corrections. */
import { parseArgs } from "node:util";
import { MAX_CAUSE, MAX_CORRECTIONS, type CorrectionFacts } from "../src/events/cost-correction.ts";
import { createPricing } from "../src/shared/prices/pricing.ts";
import { accessHeaders } from "./access-token.ts";
import { adminToken, NO_ADMIN_TOKEN } from "./admin-token.ts";
import { openLedger } from "./local/open-ledger.ts";
import type { LedgerPlace } from "./local/ledger-sql.ts";
import { runCommand } from "./local/command.ts";
import { PLACE_OPTIONS, PLACE_USAGE, readPlace } from "./local/place.ts";
import { argumentError, StartFailure } from "./local/start-failure.ts";
import { createApiClient } from "./report/api-client.ts";
import { startOf } from "./report.ts";
import { findCorrections, type Repricing } from "./reprice/find-corrections.ts";
import { priceRulesOf } from "./reprice/price-rules.ts";
import { foundText } from "./reprice/print.ts";
import { readCalls, type Period } from "./reprice/read-calls.ts";

const USAGE = `Usage: npm run -s reprice -- --from <day> [--to <day>] [place]
       npm run -s reprice -- --from <day> [--to <day>] --apply --reason <text> [--url <address>] [place]

Computes the cost of each call of a period again, from the recorded figures, with the price table and PRICES of today, and
prints what would change. With --apply each difference is booked as an event, cost_correction: the call's own record is not
changed, and reports count the last correction. Budgets of the past are not changed. See docs/costs.md.

  --from     first day of the period, as 2026-11-01, in UTC: of calls that began, and of usage that was retrieved
  --to       the day after the period; by default the period lasts until now
  --apply    books the corrections
  --reason   why, in at most ${MAX_CAUSE} characters; it should name no person
  --url      the gateway's address; by default that of npm start, http://127.0.0.1:8787

place:
${PLACE_USAGE}
The admin token is read from INTERCEPTOR_ADMIN_TOKEN. npm start with the emulated provider requires none.
Behind Cloudflare Access, CF_ACCESS_CLIENT_ID and CF_ACCESS_CLIENT_SECRET are sent as the service token.
If it is interrupted, run it again: a correction that is booked is not booked again.
`;

const LOCAL_URL = "http://127.0.0.1:8787";

export type RepriceCommand = {
  readonly place: LedgerPlace;
  /** Milliseconds since 1970. `to`: null for now. */
  readonly from: number;
  readonly to: number | null;
  /** null without `--apply`. */
  readonly apply: { readonly url: string; readonly reason: string } | null;
};

export const main = (args: readonly string[]): Promise<number> =>
  runCommand(args, { usage: USAGE, read: readArguments, run });

/** @returns the command, or one sentence that says why the arguments are invalid. */
export function readArguments(args: readonly string[]): RepriceCommand | string {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        from: { type: "string" },
        to: { type: "string" },
        apply: { type: "boolean", default: false },
        reason: { type: "string" },
        url: { type: "string" },
        ...PLACE_OPTIONS,
      },
    });
    const place = readPlace(values);
    if (typeof place === "string") return place;
    const from = startOf(values.from ?? "");
    if (from === null) return "--from is required, as 2026-11-01.";
    const to = values.to === undefined ? null : startOf(values.to);
    if (values.to !== undefined && to === null) return "--to must be a day, as 2026-12-01.";
    if (to !== null && to <= from) return "--to must be later than --from.";
    const apply = readApply(values, place);
    return typeof apply === "string" ? apply : { place, from, to, apply };
  } catch (error) {
    return argumentError(error);
  }
}

type ApplyOptions = {
  readonly apply: boolean;
  readonly reason?: string | undefined;
  readonly url?: string | undefined;
};

function readApply(
  { apply, reason, url }: ApplyOptions,
  { remote }: LedgerPlace,
): RepriceCommand["apply"] | string {
  if (!apply) return reason === undefined && url === undefined ? null : "--reason and --url require --apply.";
  if (!reason?.trim()) return "--apply requires --reason.";
  if (reason.length > MAX_CAUSE) return `--reason must have at most ${MAX_CAUSE} characters.`;
  if (url === undefined && remote) return "--apply with --remote requires --url.";
  if (url !== undefined && !URL.canParse(url)) return "--url must be a URL.";
  return { url: (url ?? LOCAL_URL).replace(/\/+$/, ""), reason };
}

/** @returns the text to print. */
async function run({ place, from, to, apply }: RepriceCommand): Promise<string> {
  const found = await findIn(place, { from, to: to ?? Date.now() });
  if (apply !== null) await book(found.corrections, apply);
  return foundText(found, apply !== null);
}

async function findIn(place: LedgerPlace, period: Period): Promise<Repricing> {
  const price = createPricing(priceRulesOf(place));
  const ledger = openLedger(place);
  try {
    return await findCorrections(readCalls(ledger.query, period), price);
  } finally {
    ledger.close();
  }
}

type Booking = { readonly url: string; readonly reason: string };

/** Through the gateway, so that the events get their MAC and reach every sink, the archive and the log of seals. */
export async function book(corrections: readonly CorrectionFacts[], { url, reason }: Booking): Promise<void> {
  if (corrections.length === 0) return;
  const token = adminToken(url);
  if (token === null) throw new StartFailure(NO_ADMIN_TOKEN);
  const api = createApiClient(url, token, accessHeaders(url));
  for (let at = 0; at < corrections.length; at += MAX_CORRECTIONS) {
    await api.post("spend/corrections", {
      cause: reason,
      corrections: corrections.slice(at, at + MAX_CORRECTIONS),
    });
  }
}
