/** Event-by-event delivery: the time between events at the provider and at the client, for each way of forwarding. */
import type { Received } from "../client/http.ts";
import { chatBody, type OpenOptions } from "../echo-client.ts";
import { EVENT_MARK } from "../echo/protocol.ts";
import { asAssumed, define, differs, type Finding, type Measurement } from "../measurement.ts";
import type { Plan } from "../plan.ts";
import { duration, median } from "./text.ts";

/** One event: when the provider wrote it, by its own clock, and when the client had all of its mark. */
export type Delivery = { readonly sentAt: number; readonly receivedAt: number };

export function deliveriesOf({ chunks }: Pick<Received, "chunks">): readonly Delivery[] {
  const text = Buffer.concat(chunks.map(({ bytes }) => bytes)).toString("latin1");
  const arrivals: { readonly end: number; readonly at: number }[] = [];
  let end = 0;
  for (const { at, bytes } of chunks) arrivals.push({ end: (end += bytes.byteLength), at });
  return [...text.matchAll(EVENT_MARK)].map((match) => {
    const markEnd = match.index + match[0].length;
    const receivedAt = arrivals.find((arrival) => arrival.end >= markEnd)?.at ?? Number.NaN;
    return { sentAt: Number(match[2]), receivedAt };
  });
}

export type DeliveryResult = {
  readonly deliveries: readonly Delivery[];
  readonly expected: number;
  readonly gapMs: number;
  /** The provider's clock minus this one. */
  readonly offsetMs: number;
};

/** A busy machine joins the events of one stall; a buffer joins nearly all. */
const SINGLE_SHARE = 0.6;

const gaps = (times: readonly number[]): readonly number[] =>
  times.slice(1).map((time, at) => time - (times[at] ?? 0));

const show = (values: readonly number[]): string =>
  `median ${duration(median(values))}, longest ${duration(Math.max(...values))}`;

export function assessDelivery({ deliveries, expected, gapMs, offsetMs }: DeliveryResult): Finding {
  if (deliveries.length < expected)
    return differs(`${deliveries.length} of ${expected} events arrived`, "a defect: file an issue");
  const sent = gaps(deliveries.map(({ sentAt }) => sentAt));
  const received = gaps(deliveries.map(({ receivedAt }) => receivedAt));
  const delays = deliveries.map(({ sentAt, receivedAt }) => receivedAt - (sentAt - offsetMs));
  const spread = Math.max(...delays) - Math.min(...delays);
  // A buffer releases its events together, be it in one chunk or in several.
  const single = 1 + received.filter((ms) => ms >= gapMs / 10).length;
  const measured =
    `between events: ${show(sent)} at the provider, ${show(received)} at the client; ` +
    `${single} of ${expected} arrived singly; delays differ by ${duration(spread)}`;
  return single >= expected * SINGLE_SHARE
    ? asAssumed(measured)
    : differs(
        measured,
        "set the Configuration Rule `response_body_buffering: none` for the host (docs/deploy.md)",
      );
}

const ROUTES: readonly (readonly [name: string, options: OpenOptions])[] = [
  ["teed: the client requested usage", { route: "chat", body: chatBody(true) }],
  ["coalesced: the gateway requested usage", { route: "chat", body: chatBody(false) }],
  ["passthrough", { route: "control" }],
];

export const deliveries = ({ delivery: { events, gapMs } }: Plan): readonly Measurement[] =>
  ROUTES.map(([name, options]) =>
    define<DeliveryResult>({
      question: `Do events arrive one by one? (${name})`,
      assumed: `yes: ${events} events every ${gapMs} ms arrive ${gapMs} ms apart`,
      phase: "quick",
      requests: 1,
      measure: async ({ echo, offset }) => {
        const params = { events, gap_ms: gapMs, run: `delivery ${name}` };
        const { received } = await echo.open("stream", { ...options, params });
        return { deliveries: deliveriesOf(await received), expected: events, gapMs, offsetMs: offset.ms };
      },
      assess: assessDelivery,
    }),
  );
