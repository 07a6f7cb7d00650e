/** Time that is added: to the headers of an answer, and to each event of a paced stream. */
import type { Contestant } from "./contestants.ts";
import { Line } from "./load.ts";
import { percentile } from "./numbers.ts";
import { requestFor, type Traffic } from "./traffic.ts";

export type Spread = { readonly p50: number; readonly p99: number };
export type Delay = { readonly name: string; readonly spread: Spread };
export type DelayRow = { readonly what: string; readonly delays: readonly Delay[] };

/** One request at a time, all in turn. Milliseconds. */
export async function measureHeaders(
  contestants: readonly Contestant[],
  traffic: Traffic,
  count: number,
): Promise<DelayRow> {
  const times = timesOf(contestants);
  const lines = await Promise.all(
    contestants.map(async (contestant) => {
      const { name, port } = contestant;
      return { name, line: await Line.open(port), request: requestFor(traffic, contestant) };
    }),
  );
  for (let n = 0; n < count; n += 1) {
    for (const { name, line, request } of lines) {
      times.get(name)?.push((await line.exchange(request)).headersMs);
    }
  }
  lines.forEach(({ line }) => line.close());
  for (const contestant of contestants) await contestant.recorded(count, traffic);
  return row(`to headers, ${traffic === "json" ? "JSON" : "stream"}`, times);
}

/** Streams that say when each event was sent, at once, all in turn. Milliseconds from the provider's writing to our reading. */
export async function measureEvents(
  contestants: readonly Contestant[],
  traffic: "paced" | "slow",
  streams: number,
  rounds: number,
): Promise<DelayRow> {
  const times = timesOf(contestants);
  for (let round = 0; round < rounds; round += 1) {
    for (const contestant of contestants) {
      const own = times.get(contestant.name) ?? [];
      await Promise.all(Array.from({ length: streams }, () => oneStream(contestant, traffic, own)));
      await contestant.recorded(streams, traffic);
    }
  }
  return row(`per event, ${streams} streams`, times);
}

async function oneStream(contestant: Contestant, traffic: Traffic, delays: number[]): Promise<void> {
  const line = await Line.open(contestant.port);
  let rest = "";
  await line.exchange(requestFor(traffic, contestant), (piece) => {
    const now = process.hrtime.bigint();
    rest += piece.toString("latin1");
    // A time stamp that a piece's end cuts in two is whole with the next piece.
    let read = 0;
    for (const match of rest.matchAll(/"sent":"(\d+)"/g)) {
      delays.push(Number(now - BigInt(match[1] ?? 0)) / 1e6);
      read = match.index + match[0].length;
    }
    rest = rest.slice(read);
  });
  line.close();
}

type Times = ReadonlyMap<string, number[]>;

function timesOf(contestants: readonly Contestant[]): Times {
  return new Map(contestants.map(({ name }) => [name, []]));
}

function row(what: string, times: Times): DelayRow {
  return { what, delays: Array.from(times, ([name, all]) => ({ name, spread: spread(all) })) };
}

function spread(times: readonly number[]): Spread {
  return { p50: percentile(times, 0.5), p99: percentile(times, 0.99) };
}
