/** `waitUntil`'s grace period, measured by the echo on itself. */
import { clock } from "../client/http.ts";
import type { Context } from "../context.ts";
import type { Alive } from "../echo/protocol.ts";
import { asAssumed, define, differs, notMeasured, type Finding, type Measurement } from "../measurement.ts";
import type { Plan } from "../plan.ts";
import { duration } from "./text.ts";

const GRACE_MS = 30_000;
/** The echo's last note is up to a second older than its end. */
const TOLERANCE_MS = 3000;
/** The gateway's client disconnects this long after the first bytes. */
const BEFORE_DISCONNECT_MS = 1000;
const MARGIN_MS = 3000;
/** The echo stores a note each second. */
const RECENT_MS = 5000;

export function assessGrace(alive: Alive | null): Finding {
  if (alive === null) return notMeasured("the echo did not begin its work: it noticed no disconnect");
  const ms = alive.last - alive.from;
  if (alive.finished)
    return differs(`still running after ${duration(ms)}`, "docs/limits.md may say that the period is longer");
  const measured = `work ended after ${duration(ms)}`;
  return Math.abs(ms - GRACE_MS) <= TOLERANCE_MS
    ? asAssumed(measured)
    : differs(measured, "docs/limits.md must say so; the ledger sink's attempts need 7.3 s of it");
}

const WAYS = [
  ["end", "after a response that ended at once", "thirty seconds (docs/limits.md)"],
  ["disconnect", "after its client disconnected", "thirty seconds (docs/limits.md)"],
  [
    "native",
    "after the headers of a body that the runtime carries natively, while that body goes on",
    "thirty seconds from the headers (cloudflare/workerd#6151)",
  ],
] as const;

export const graces = ({ graceMs }: Plan): readonly Measurement[] =>
  WAYS.map(([after, when, assumed]) =>
    define<Alive | null>({
      question: `How long does work in \`waitUntil\` go on ${when}?`,
      assumed,
      phase: "slow",
      requests: 3,
      isNetworkOnly: true,
      unavailable: ({ bindings }) => (bindings.journal ? null : "the echo has no Durable Object to note it"),
      measure: async (context) => {
        const run = `grace ${after}`;
        await start(context, { after, for_ms: graceMs, run });
        await context.sleep(graceMs + MARGIN_MS);
        const alive = await read(context, run);
        // A disconnect that was noticed late: the work still goes on.
        if (alive === null || alive.finished || !isRecent(alive, context)) return alive;
        await context.sleep(graceMs);
        return read(context, run);
      },
      assess: assessGrace,
    }),
  );

async function read({ echo }: Context, run: string): Promise<Alive | null> {
  const [notes] = await echo.notes([run], ["alive"]);
  return (notes?.["alive"] as Alive | undefined) ?? null;
}

/** By the echo's clock. */
const isRecent = ({ last }: Alive, { offset }: Context): boolean => clock() + offset.ms - last < RECENT_MS;

/** Resolves when the response has begun, or its client has disconnected. */
async function start(
  { echo, sleep }: Context,
  params: Readonly<Record<string, string | number>>,
): Promise<void> {
  const request = await echo.open("grace", { params });
  await request.firstBytes;
  if (params["after"] !== "disconnect") return;
  await sleep(BEFORE_DISCONNECT_MS);
  request.disconnect("reset");
}
