/** Events that are not the gateway's, in a log or file that is replayed: finding H9. */
import { beforeEach, describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import { createSign, createVerify, macKeyId } from "../../../src/events/event-mac.ts";
import { createFallbackLog, toFallbackLine, toSignedFallbackLine } from "../../../src/events/fallback-log.ts";
import { toEventLine } from "../../../src/events/log-line.ts";
import { toLogMacLines } from "../../../src/events/log-mac.ts";
import { toPieceLine, toPieces } from "../../../src/events/message-pieces.ts";
import { uuidV7 } from "../../../src/shared/uuid.ts";
import { authenticateFound, type Replayed } from "../../../tools/replay/authenticate.ts";
import { findLogged, readLoggedMessage } from "../../../tools/replay/logged-events.ts";
import { toSql, toUnauthenticatedSql } from "../../../tools/replay/sql.ts";
import {
  ACCESS,
  END,
  sentEvents,
  HOSTILE_TEXTS,
  PROMPT,
  START,
  TOOL,
  withTexts,
} from "../../support/in-workerd/events.ts";
import { allRows, emptyLedger, type Row } from "../../support/in-workerd/ledger-database.ts";
import { idOf } from "../../support/in-workerd/ledger-events.ts";
import { FOREIGN_KEY, KEY, NEXT_KEY, signedMessage } from "../../support/in-workerd/mac-keys.ts";

const sign = createSign(KEY);
const verify = createVerify([KEY]);
const AT = Date.UTC(2026, 10, 23, 12);

/** A start that claims the strongest evidence, for another person. */
const MADE_UP: InterceptorEvent = {
  ...START,
  initiator_id: "0e0e0e0e-0000-4000-8000-00000000000e",
  attribution: "signed",
};

const replay = (lines: readonly string[], plain = false, by = verify): Promise<Replayed> =>
  authenticateFound([findLogged(lines.join("\n"), plain)], by, AT);

const eventsOf = ({ accepted }: Replayed): InterceptorEvent[] => accepted.map(({ event }) => event);
const reasonsOf = ({ rejected }: Replayed): unknown[] => rejected.map(({ event, reason }) => [event, reason]);

describe("Finding H9 a fallback line", () => {
  it("with a valid MAC is accepted, with any hostile text", async () => {
    const events = HOSTILE_TEXTS.map((text, n) => ({ ...withTexts(TOOL, text), interception_id: idOf(n) }));
    const lines = await createFallbackLog(() => undefined, sign).toLines([...sentEvents, ...events]);
    const replayed = await replay(lines);
    expect(new Set(eventsOf(replayed))).toEqual(new Set([...sentEvents, ...events]));
    const facts = { via: "p", macKeyId: await macKeyId(KEY), storedAt: AT };
    for (const entry of replayed.accepted) expect(entry).toMatchObject(facts);
    expect(replayed.rejected).toEqual([]);
  });

  // The attack of finding H9: a text file with a made-up start that claims a signature.
  it("of a text file, without a MAC, is rejected", async () => {
    const replayed = await replay([toFallbackLine(MADE_UP)]);
    expect([eventsOf(replayed), reasonsOf(replayed)]).toEqual([[], [[MADE_UP, "missing"]]]);
  });

  const attacks: readonly (readonly [string, string, () => Promise<string>])[] = [
    [
      "one edited field",
      "wrong",
      async () =>
        (await toSignedFallbackLine(START, sign)).replace(
          '"attribution":"asserted"',
          '"attribution":"signed"',
        ),
    ],
    ["a MAC of another key", "unknown_key", () => toSignedFallbackLine(MADE_UP, createSign(FOREIGN_KEY))],
    [
      "the MAC of another line",
      "wrong",
      async () => {
        const [, mac = ""] = /"mac":"([^"]+)"/.exec(await toSignedFallbackLine(END, sign)) ?? [];
        return toFallbackLine(MADE_UP).replace('"event":', `"mac":"${mac}","event":`);
      },
    ],
    // JSON.parse takes the last of two members.
    [
      "a second event behind the one that the MAC covers",
      "wrong",
      async () =>
        `${(await toSignedFallbackLine(END, sign)).slice(0, -1)},"event":${JSON.stringify(MADE_UP)}}`,
    ],
    // A MAC of a line of the interception log, whose content is truncated.
    [
      "a MAC for log lines",
      "wrong",
      async () =>
        toFallbackLine(MADE_UP).replace(
          '"event":',
          `"mac":"${await sign("lines", JSON.stringify(MADE_UP))}","event":`,
        ),
    ],
  ];

  it.each(attacks)("with %s is rejected", async (_, reason, line) => {
    const replayed = await replay([await line()]);
    expect(eventsOf(replayed)).toEqual([]);
    expect(replayed.rejected).toMatchObject([{ via: "p", reason }]);
  });

  // The attack: a made-up deletion, in a log that is replayed with the key or without it.
  it("of a type that no gateway sends is rejected, even with a valid MAC", async () => {
    const line = await toSignedFallbackLine(ACCESS, sign);
    const logs = [findLogged(line, false)];
    for (const replayed of [await replay([line]), await authenticateFound(logs, null, AT)])
      expect([eventsOf(replayed), reasonsOf(replayed)]).toEqual([[], [[ACCESS, "reserved_type"]]]);
  });

  // The attack: a made-up line with the id of a real event, before or after it in the log.
  it("with a valid MAC counts rather than one without it", async () => {
    const real = await toSignedFallbackLine(START, sign);
    for (const lines of [
      [real, toFallbackLine(MADE_UP)],
      [toFallbackLine(MADE_UP), real],
    ]) {
      const replayed = await replay(lines);
      expect([eventsOf(replayed), replayed.rejected]).toEqual([[START], []]);
    }
  });

  it("is accepted by either key during a rotation", async () => {
    const both = createVerify([NEXT_KEY, KEY]);
    const lines = [
      await toSignedFallbackLine(START, sign),
      await toSignedFallbackLine(END, createSign(NEXT_KEY)),
    ];
    expect(eventsOf(await replay(lines, false, both))).toEqual([START, END]);
  });

  it("is accepted and unmarked without a key, with a MAC or not", async () => {
    const lines = [await toSignedFallbackLine(START, sign), toFallbackLine(END)];
    const { accepted } = await authenticateFound([findLogged(lines.join("\n"), false)], null, AT);
    expect(accepted).toEqual(
      [START, END].map((event) => ({ event, via: "p", macKeyId: null, storedAt: AT })),
    );
  });
});

const read = (texts: readonly string[]): Promise<Replayed> =>
  authenticateFound(texts.map(readLoggedMessage), verify, AT);

describe("Finding H9 a queue message", () => {
  it("from the archive or in pieces is accepted with its MAC", async () => {
    const message = await signedMessage(sentEvents);
    const pieces = toPieces("m", message, 500).map(toPieceLine);
    expect(pieces.length).toBeGreaterThan(2);
    for (const replayed of [await read([message]), await replay(pieces.toReversed())])
      expect([eventsOf(replayed), replayed.rejected]).toEqual([sentEvents, []]);
  });

  // The attack: a file in the archive's form, which anyone can write.
  it("without a MAC is rejected, in both forms", async () => {
    const text = JSON.stringify({ version: 1, events: [MADE_UP] });
    for (const replayed of [await read([text]), await replay(toPieces("m", text).map(toPieceLine))])
      expect([eventsOf(replayed), reasonsOf(replayed)]).toEqual([[], [[MADE_UP, "missing"]]]);
  });
});

describe("Finding H9 a line of the interception log", () => {
  const plain = [START, PROMPT, END].map((event) => toEventLine(event));

  it("is accepted where a MAC line names it, in any order and with other lines lost", async () => {
    const macLines = await toLogMacLines(plain, sign);
    expect(macLines).toHaveLength(1);
    const orders = [
      [...plain, ...macLines],
      [...macLines, ...plain.toReversed()],
      [plain[2] ?? "", ...macLines],
    ];
    for (const lines of orders) {
      const replayed = await replay(lines, true);
      expect([replayed.accepted.length, replayed.rejected]).toEqual([lines.length - 1, []]);
    }
  });

  it("is rejected without a MAC line", async () => {
    expect(reasonsOf(await replay(plain, true))).toEqual(
      [START, PROMPT, END].map((event) => [event, "missing"]),
    );
  });

  // The attack: one line of a real group is edited, in a log that is exported and replayed.
  it("is rejected where one character differs", async () => {
    const [line = "", ...others] = plain;
    const macLines = await toLogMacLines(plain, sign);
    const edited = line.replace('"attribution":"asserted"', '"attribution":"signed"');
    const replayed = await replay([edited, ...others, ...macLines], true);
    expect(eventsOf(replayed)).toEqual([PROMPT, END]);
    expect(replayed.rejected).toMatchObject([{ reason: "missing", event: { attribution: "signed" } }]);
  });

  // The attack: the digest of a made-up line is added to a real MAC line, or signed with another key.
  it("is rejected where the MAC line is not valid", async () => {
    const made = toEventLine(MADE_UP);
    const [real = ""] = await toLogMacLines(plain, sign);
    const [other = ""] = await toLogMacLines([made], createSign(FOREIGN_KEY));
    const [, digest = ""] = /"lines":\["([^"]+)"/.exec(other) ?? [];
    const added = real.replace('"lines":[', `"lines":["${digest}",`);
    for (const [macLine, reason] of [
      [added, "wrong"],
      [other, "unknown_key"],
    ] as const) {
      const replayed = await replay([made, macLine], true);
      expect([eventsOf(replayed), reasonsOf(replayed)]).toEqual([[], [[MADE_UP, reason]]]);
    }
  });

  it("is named by one of several MAC lines, where a group is large", async () => {
    const many = Array.from({ length: 90 }, (_, position) => toEventLine({ ...TOOL, position }));
    const macLines = await toLogMacLines(many, sign);
    expect(macLines).toHaveLength(3);
    expect(Math.max(...macLines.map((line) => line.length))).toBeLessThan(2100);
    expect((await replay([...many, ...macLines], true)).accepted).toHaveLength(90);
  });
});

const newId = (now: number): string => uuidV7(now, crypto.randomUUID());

describe("the SQL file", () => {
  let database: D1Database;
  beforeEach(async () => {
    database = await emptyLedger();
  });

  const run = async ({ accepted, rejected }: Replayed): Promise<void> => {
    const sql = toSql(accepted) + toUnauthenticatedSql(rejected, newId);
    const statements = sql.split(/;\n(?=INSERT|WITH|UPDATE|$)/).filter((statement) => statement !== "");
    await database.batch(statements.map((statement) => database.prepare(statement)));
  };
  const unauthenticated = async (): Promise<Row[]> =>
    (await database.prepare("SELECT * FROM unauthenticated_events ORDER BY record_type").all<Row>()).results;

  it("stores the accepted events in the ledger and the others apart, each once", async () => {
    const prompt = { ...PROMPT, prompt: "it's; BEGIN TRANSACTION" };
    const lines = [await toSignedFallbackLine(START, sign), toFallbackLine(END), toFallbackLine(prompt)];
    for (const _ of [1, 2]) await run(await replay(lines));
    const { interceptions, user_prompts: prompts } = await allRows(database);
    expect(interceptions).toMatchObject([{ attribution: START.attribution, ended_at: null }]);
    expect(prompts).toEqual([]);
    const rows = await unauthenticated();
    expect(rows.map((row) => [row["via"], row["reason"], JSON.parse(String(row["event"]))])).toEqual([
      ["p", "missing", END],
      ["p", "missing", prompt],
    ]);
  });
});
