/** Memory where a side does not play along: a client that never reads, a provider that never ends, a line of 16 MiB. */
import { setTimeout as wait } from "node:timers/promises";
import type { Client } from "../client.ts";
import { compareEnds, compareRecords, openAll } from "../crowd.ts";
import { LINE_BYTES, type Fate, type Plan, type Sent } from "../plan.ts";
import { mustBe, mustNotExceed, scaled, told, type Row, type Scenario } from "../scenario.ts";
import { onStage, type Stage } from "../stage.ts";

const MIB = 1024 * 1024;
/** `LIMITS.observe_bytes` as it is by default. */
const OBSERVED_MIB = 8;
/** What two sockets' buffers may hold beside it. */
const BUFFERED_MIB = 16;
/** Of the 256 MiB that go through a stream that never ends, so much may be in memory; code and heap are in it. */
const ENDLESS_MIB = 48;
const POLL_MS = 250;
/** So many looks without a change, and a stream is taken to stand still. */
const STILL_LOOKS = 8;
const MOST_LOOKS = 480;

const plans = (count: number, fate: Fate): Plan[] =>
  Array.from({ length: count }, (_, n) => ({
    id: `${fate}-${n}`,
    asked: n % 2 === 0,
    events: 1,
    paced: false,
    fate,
  }));

const takenMiB = (sent: Readonly<Record<string, Sent>>): number[] =>
  Object.values(sent).map(({ taken }) => taken / MIB);

/** The most memory seen until `done`. */
async function watchMemory({ interceptor }: Stage, done: () => Promise<boolean>): Promise<number> {
  let most = interceptor.resident();
  for (let look = 0; look < MOST_LOOKS && !(await done()); look += 1) {
    await wait(POLL_MS);
    most = Math.max(most, interceptor.resident());
  }
  return most;
}

async function leaveAll({ provider, interceptor }: Stage, clients: readonly Client[]): Promise<Row[]> {
  clients.forEach((client) => client.leave("reset"));
  const left = await provider.allClosed();
  const { records } = interceptor;
  await records.settled(clients.length);
  return [
    mustBe("connections left at the provider once the clients have gone", left, 0),
    ...compareRecords(records, clients.length),
    mustBe("cancelled", records.outcomes()["cancelled"] ?? 0, clients.length),
  ];
}

export const unread: Scenario = {
  name: "unread",
  title: "clients that never read",
  run: (scale) =>
    onStage({}, async (stage) => {
      const count = scaled(20, scale, 4);
      const before = stage.interceptor.resident();
      const clients = await openAll(stage.interceptor, plans(count, "flood"), () => ({ reads: false }));
      let still = 0;
      let last = -1;
      const most = await watchMemory(stage, async () => {
        const taken = takenMiB(await stage.provider.ask("sent")).reduce((sum, one) => sum + one, 0);
        still = taken === last && taken > 0 ? still + 1 : 0;
        last = taken;
        return still >= STILL_LOOKS;
      });
      const taken = takenMiB(await stage.provider.ask("sent"));
      const bound = OBSERVED_MIB + BUFFERED_MIB;
      return [
        told("clients", String(count)),
        {
          what: "the provider's streams stand still",
          figure: String(still >= STILL_LOOKS),
          must: "true",
          held: still >= STILL_LOOKS,
        },
        mustNotExceed("taken of one stream, at most", Math.max(...taken), bound, "MiB"),
        mustNotExceed("resident memory added, for each client", (most - before) / count, bound, "MiB"),
        ...(await leaveAll(stage, clients)),
      ];
    }),
};

export const endless: Scenario = {
  name: "endless",
  title: "providers that never end",
  run: (scale) =>
    onStage({}, async (stage) => {
      const count = 4;
      const each = scaled(256, scale, 96) * MIB;
      const before = stage.interceptor.resident();
      const clients = await openAll(stage.interceptor, plans(count, "flood"));
      const most = await watchMemory(stage, () =>
        Promise.resolve(clients.every(({ bytes }) => bytes >= each)),
      );
      const least = Math.min(...clients.map(({ bytes }) => bytes)) / MIB;
      const rows = await leaveAll(stage, clients);
      const ends = [...stage.interceptor.records.last.values()];
      const capped = ends.filter(({ observation }) => observation === "truncated");
      const observed = Math.max(...capped.map((end) => end.response_bytes)) / MIB;
      return [
        told("streams, read of each", `${count}, at least ${least.toFixed(0)} MiB`),
        {
          what: "read of the slowest stream",
          figure: `${least.toFixed(1)} MiB`,
          must: `≥ ${each / MIB} MiB`,
          held: least >= each / MIB,
        },
        mustBe("capped: those watched beside the client's stream", capped.length, count / 2),
        mustNotExceed("observed of these, at most", observed, OBSERVED_MIB + 1, "MiB"),
        mustNotExceed("resident memory added, for each stream", (most - before) / count, ENDLESS_MIB, "MiB"),
        ...rows,
      ];
    }),
};

export const line: Scenario = {
  name: "line",
  title: "a single line of 16 MiB",
  run: () =>
    onStage({}, async (stage) => {
      const before = stage.interceptor.resident();
      const clients = await openAll(stage.interceptor, plans(2, "line"));
      const most = await watchMemory(stage, () => Promise.resolve(clients.every(({ whole }) => whole)));
      await Promise.all(clients.map(({ over }) => over));
      const rows = compareEnds(clients, await stage.provider.ask("sent"));
      clients.forEach((client) => client.leave("fin"));
      const { records } = stage.interceptor;
      await records.settled(2);
      const least = Math.min(...clients.map(({ bytes }) => bytes));
      return [
        told(
          "streams, bytes of each",
          `2, ${least.toLocaleString("en")} (the line: ${LINE_BYTES.toLocaleString("en")})`,
        ),
        ...rows,
        ...compareRecords(records, 2),
        mustBe("completed", records.outcomes()["completed"] ?? 0, 2),
        mustNotExceed("resident memory added", most - before, 10 * (LINE_BYTES / MIB), "MiB"),
      ];
    }),
};
