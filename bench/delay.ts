/** Time that is added: to the headers of an answer, and to each event of a paced stream. */
import type { Contestant } from "./contestants.ts";
import { Line } from "./load.ts";
import { percentile } from "./numbers.ts";
import { requestFor, type Traffic } from "./traffic.ts";

export type Spread = { readonly p50: number; readonly p99: number };
export type DelayRow = { readonly what: string; readonly bare: Spread; readonly interceptor: Spread };

/** One request at a time, the two in turn. Milliseconds. */
export async function measureHeaders(
  bare: Contestant,
  interceptor: Contestant,
  traffic: Traffic,
  count: number,
) {
  const times = { bare: [] as number[], interceptor: [] as number[] };
  const both = await Promise.all(
    [bare, interceptor].map(async ({ name, port, path }) => {
      return { name, line: await Line.open(port), request: requestFor(traffic, port, path) };
    }),
  );
  for (let n = 0; n < count; n += 1) {
    for (const { name, line, request } of both) times[name].push((await line.exchange(request)).headersMs);
  }
  both.forEach(({ line }) => line.close());
  await interceptor.recorded(count);
  return row(`to headers, ${traffic === "json" ? "JSON" : "stream"}`, times);
}

/** Paced streams, a few at once, the two in turn. Milliseconds from the provider's writing to our reading. */
export async function measureEvents(
  bare: Contestant,
  interceptor: Contestant,
  streams: number,
  rounds: number,
) {
  const times = { bare: [] as number[], interceptor: [] as number[] };
  for (let round = 0; round < rounds; round += 1) {
    for (const contestant of [bare, interceptor]) {
      await Promise.all(Array.from({ length: streams }, () => oneStream(contestant, times[contestant.name])));
      await contestant.recorded(streams);
    }
  }
  return row("per event", times);
}

async function oneStream(contestant: Contestant, delays: number[]): Promise<void> {
  const line = await Line.open(contestant.port);
  let rest = "";
  await line.exchange(requestFor("paced", contestant.port, contestant.path), (piece) => {
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

function row(what: string, times: { bare: number[]; interceptor: number[] }): DelayRow {
  return { what, bare: spread(times.bare), interceptor: spread(times.interceptor) };
}

function spread(times: readonly number[]): Spread {
  return { p50: percentile(times, 0.5), p99: percentile(times, 0.99) };
}
