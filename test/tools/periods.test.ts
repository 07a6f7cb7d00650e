/** The calendar periods of budgets, against the Temporal API. */
import { Temporal } from "@js-temporal/polyfill";
import { expect, it } from "vitest";
import { periodOf } from "../../src/gateway/policy/budgets/period.ts";
import type { CalendarUnit } from "../../src/gateway/policy/budgets/rule.ts";
import { seededRandom } from "../support/rechunk.ts";

const CALENDAR_UNITS: readonly CalendarUnit[] = ["day", "week", "month"];

/** With changes at midnight, of half an hour, of a whole day, and none. */
const ZONES = [
  "UTC",
  "Europe/Berlin",
  "America/New_York",
  "America/Sao_Paulo",
  "America/Havana",
  "Africa/Cairo",
  "Asia/Beirut",
  "Asia/Kolkata",
  "Australia/Lord_Howe",
  "Pacific/Apia",
  "Pacific/Kiritimati",
  "America/St_Johns",
];

function expected(unit: CalendarUnit, zone: string, at: number): readonly [number, number] {
  const date = Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(zone).toPlainDate();
  const first =
    unit === "month"
      ? date.with({ day: 1 })
      : unit === "week"
        ? date.subtract({ days: date.dayOfWeek - 1 })
        : date;
  const next = first.add(unit === "month" ? { months: 1 } : { days: unit === "week" ? 7 : 1 });
  const startOf = (day: Temporal.PlainDate): number => day.toZonedDateTime(zone).epochMilliseconds;
  return [startOf(first), startOf(next)];
}

const FROM = Date.UTC(2009, 0, 1);
const TO = Date.UTC(2031, 0, 1);

it.each(ZONES)("begin and end in %s when the dates do", (timeZone) => {
  const random = seededRandom(20_261_130);
  for (let n = 0; n < 400; n += 1) {
    const at = FROM + Math.floor(random() * (TO - FROM));
    for (const unit of CALENDAR_UNITS) {
      const { start, since, resetsAt } = periodOf({ kind: "calendar", unit, timeZone }, "dollars", at);
      expect([unit, new Date(at).toISOString(), start, resetsAt]).toEqual([
        unit,
        new Date(at).toISOString(),
        ...expected(unit, timeZone, at),
      ]);
      expect(since).toBe(start);
    }
  }
});

it("of a window count the window, and up to a sixtieth more", () => {
  const random = seededRandom(7);
  for (let n = 0; n < 1000; n += 1) {
    const ms = 60_000 + Math.floor(random() * 1e9);
    const at = FROM + Math.floor(random() * 1e11);
    const { start, since, resetsAt } = periodOf({ kind: "window", ms }, "tokens", at);
    const slice = Math.ceil(ms / 60);
    expect(start).toBeLessThanOrEqual(at);
    expect(start + slice).toBeGreaterThan(at);
    // A charge within the window is in a slice that counts.
    expect(since).toBeLessThanOrEqual(at - ms + slice);
    expect(since + slice).toBeGreaterThan(at - ms);
    expect(resetsAt).toBe(start + slice + ms);
  }
});
