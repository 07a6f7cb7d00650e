/** Memory bounds with misbehaving peers: clients that never read, providers that never end, a line of 16 MiB. */
import { setTimeout as wait } from "node:timers/promises";
import type { Client } from "../client.ts";
import { compareEnds, compareRecords, openAll } from "../many-clients.ts";
import { LINE_BYTES, type Ending, type Plan, type Sent } from "../plan.ts";
import { mustBe, mustNotExceed, report, scaled, type Row, type Scenario } from "../scenario.ts";
import { withSetup, type Setup } from "../setup.ts";

const MIB = 1024 * 1024;
/** The allowance for what is on its way through the gateway. */
const OBSERVED_MIB = 1;
/** The allowance for the buffers of two sockets. */
const BUFFERED_MIB = 16;
/** The allowance per stream that forwards 256 MiB, including code and heap. */
const ENDLESS_MIB = 48;
const POLL_MS = 250;
/** A stream counts as stalled after this many polls without a change. */
const STALLED_POLLS = 8;
const MAX_POLLS = 480;

const plans = (count: number, ending: Ending): Plan[] =>
  Array.from({ length: count }, (_, n) => ({
    id: `${ending}-${n}`,
    requestsUsage: n % 2 === 0,
    events: 1,
    paced: false,
    ending,
  }));

const readMiB = (sent: Readonly<Record<string, Sent>>): number[] =>
  Object.values(sent).map(({ read }) => read / MIB);

/** Polls until `done`. Returns the maximum of resident memory. */
async function peakMemory({ interceptor }: Setup, done: () => Promise<boolean>): Promise<number> {
  let most = interceptor.resident();
  for (let poll = 0; poll < MAX_POLLS && !(await done()); poll += 1) {
    await wait(POLL_MS);
    most = Math.max(most, interceptor.resident());
  }
  return most;
}

async function disconnectAll({ provider, interceptor }: Setup, clients: readonly Client[]): Promise<Row[]> {
  clients.forEach((client) => client.disconnect("reset"));
  const open = await provider.allClosed();
  const { records } = interceptor;
  await records.settled(clients.length);
  return [
    mustBe("open connections to the provider after the clients disconnected", open, 0),
    ...compareRecords(records, clients.length),
    mustBe("cancelled", records.outcomes()["cancelled"] ?? 0, clients.length),
  ];
}

export const unread: Scenario = {
  name: "unread",
  title: "clients that never read",
  run: (scale) =>
    withSetup({}, async (setup) => {
      const count = scaled(20, scale, 4);
      const before = setup.interceptor.resident();
      const clients = await openAll(setup.interceptor, plans(count, "flood"), () => ({ reads: false }));
      let stalledPolls = 0;
      let last = -1;
      const most = await peakMemory(setup, async () => {
        const total = readMiB(await setup.provider.query("sent")).reduce((sum, one) => sum + one, 0);
        stalledPolls = total === last && total > 0 ? stalledPolls + 1 : 0;
        last = total;
        return stalledPolls >= STALLED_POLLS;
      });
      const read = readMiB(await setup.provider.query("sent"));
      const bound = OBSERVED_MIB + BUFFERED_MIB;
      return [
        report("clients", String(count)),
        {
          what: "the provider's streams stall (backpressure)",
          figure: String(stalledPolls >= STALLED_POLLS),
          bound: "true",
          passed: stalledPolls >= STALLED_POLLS,
        },
        mustNotExceed("read from one stream, maximum", Math.max(...read), bound, "MiB"),
        mustNotExceed("resident memory added, per client", (most - before) / count, bound, "MiB"),
        ...(await disconnectAll(setup, clients)),
      ];
    }),
};

export const endless: Scenario = {
  name: "endless",
  title: "providers that never end",
  run: (scale) =>
    withSetup({}, async (setup) => {
      const count = 4;
      const each = scaled(256, scale, 96) * MIB;
      const before = setup.interceptor.resident();
      const clients = await openAll(setup.interceptor, plans(count, "flood"));
      const most = await peakMemory(setup, () =>
        Promise.resolve(clients.every(({ bytes }) => bytes >= each)),
      );
      const least = Math.min(...clients.map(({ bytes }) => bytes)) / MIB;
      const rows = await disconnectAll(setup, clients);
      const ends = [...setup.interceptor.records.last.values()];
      const truncated = ends.filter(({ observation }) => observation === "truncated").length;
      return [
        report("streams, bytes read from each", `${count}, at least ${least.toFixed(0)} MiB`),
        {
          what: "read from the slowest stream",
          figure: `${least.toFixed(1)} MiB`,
          bound: `≥ ${each / MIB} MiB`,
          passed: least >= each / MIB,
        },
        mustBe("truncated observations", truncated, 0),
        mustNotExceed("resident memory added, per stream", (most - before) / count, ENDLESS_MIB, "MiB"),
        ...rows,
      ];
    }),
};

export const line: Scenario = {
  name: "line",
  title: "a single line of 16 MiB",
  run: () =>
    withSetup({}, async (setup) => {
      const before = setup.interceptor.resident();
      const clients = await openAll(setup.interceptor, plans(2, "line"));
      const most = await peakMemory(setup, () => Promise.resolve(clients.every(({ complete }) => complete)));
      await Promise.all(clients.map(({ over }) => over));
      const rows = compareEnds(clients, await setup.provider.query("sent"));
      clients.forEach((client) => client.disconnect("fin"));
      const { records } = setup.interceptor;
      await records.settled(2);
      const least = Math.min(...clients.map(({ bytes }) => bytes));
      return [
        report(
          "streams, bytes in each",
          `2, ${least.toLocaleString("en")} (the line has ${LINE_BYTES.toLocaleString("en")})`,
        ),
        ...rows,
        ...compareRecords(records, 2),
        mustBe("completed", records.outcomes()["completed"] ?? 0, 2),
        mustNotExceed("resident memory added", most - before, 10 * (LINE_BYTES / MIB), "MiB"),
      ];
    }),
};
