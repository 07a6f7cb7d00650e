/** Added latency: until the headers of a response, and for each event of a paced stream. */
import { Line } from "./load.ts";
import { percentile } from "./numbers.ts";
import { requestFor, type Traffic } from "./traffic.ts";
import type { Variant } from "./variant.ts";

export type Spread = { readonly p50: number; readonly p99: number };
export type Delay = { readonly name: string; readonly spread: Spread };
export type DelayRow = {
  readonly what: string;
  /** The concurrent streams whose events were measured; missing: the headers were. */
  readonly streams?: number;
  /** Without the first second, in which all streams begin. */
  readonly isSettled?: boolean;
  readonly delays: readonly Delay[];
};

/** All streams of a round begin at once, and within this time. */
const FIRST_MS = 1000;

/** Milliseconds until the headers. Sends one request at a time to each variant in turn. */
export async function measureHeaders(
  variants: readonly Variant[],
  traffic: Traffic,
  count: number,
): Promise<DelayRow> {
  const times = timesOf(variants);
  const lines = await Promise.all(
    variants.map(async (variant) => {
      const { name, port } = variant;
      return { name, line: await Line.open(port), request: requestFor(traffic, variant) };
    }),
  );
  for (let n = 0; n < count; n += 1) {
    for (const { name, line, request } of lines) {
      times.get(name)?.push((await line.exchange(request)).headersMs);
    }
  }
  lines.forEach(({ line }) => line.close());
  for (const variant of variants) await variant.recorded(count, traffic);
  return row(`to headers, ${traffic === "json" ? "JSON" : "stream"}`, times);
}

/**
 * Milliseconds from the provider's write of an event to the client's read. Each event carries the time of its write. The
 * variants take turns with `streams` concurrent streams.
 */
export async function measureEvents(
  variants: readonly Variant[],
  traffic: "paced" | "slow",
  streams: number,
  rounds: number,
): Promise<DelayRow[]> {
  const times = timesOf(variants);
  const settled = timesOf(variants);
  for (let round = 0; round < rounds; round += 1) {
    for (const variant of variants) {
      const since = performance.now();
      const add = (ms: number): void => {
        times.get(variant.name)?.push(ms);
        if (performance.now() - since >= FIRST_MS) settled.get(variant.name)?.push(ms);
      };
      await Promise.all(Array.from({ length: streams }, () => readStream(variant, traffic, add)));
      await variant.recorded(streams, traffic);
    }
  }
  return [
    { ...row(`per event, ${streams} streams`, times), streams },
    {
      ...row(`per event, ${streams} streams, after their first second`, settled),
      streams,
      isSettled: true,
    },
  ];
}

async function readStream(variant: Variant, traffic: Traffic, add: (ms: number) => void): Promise<void> {
  const line = await Line.open(variant.port);
  let rest = "";
  await line.exchange(requestFor(traffic, variant), (piece) => {
    const now = process.hrtime.bigint();
    rest += piece.toString("latin1");
    // A time stamp that is split between two pieces is complete with the second one.
    let read = 0;
    for (const match of rest.matchAll(/"sent":"(\d+)"/g)) {
      add(Number(now - BigInt(match[1] ?? 0)) / 1e6);
      read = match.index + match[0].length;
    }
    rest = rest.slice(read);
  });
  line.close();
}

type Times = ReadonlyMap<string, number[]>;

function timesOf(variants: readonly Variant[]): Times {
  return new Map(variants.map(({ name }) => [name, []]));
}

function row(what: string, times: Times): DelayRow {
  return { what, delays: Array.from(times, ([name, all]) => ({ name, spread: spread(all) })) };
}

function spread(times: readonly number[]): Spread {
  return { p50: percentile(times, 0.5), p99: percentile(times, 0.99) };
}
