/** The probe's verdicts: each measurement's values against the assumption of the documentation. */
import { describe, expect, it } from "vitest";
import type { Disconnected } from "../../../tools/probe/echo/protocol.ts";
import type { Finding, Verdict } from "../../../tools/probe/measurement.ts";
import { assessEncoding } from "../../../tools/probe/measurements/accept-encoding.ts";
import { assessCreateOnly, assessObject, assessQueue } from "../../../tools/probe/measurements/bindings.ts";
import { assessDigests } from "../../../tools/probe/measurements/bytes.ts";
import { assessEvents, assessJson } from "../../../tools/probe/measurements/compression.ts";
import { assessLengths } from "../../../tools/probe/measurements/content-length.ts";
import { assessDelivery, deliveriesOf } from "../../../tools/probe/measurements/delivery.ts";
import { assessDisconnect, type State } from "../../../tools/probe/measurements/disconnect-verdict.ts";
import { assessGrace } from "../../../tools/probe/measurements/grace.ts";
import { assessHeaders } from "../../../tools/probe/measurements/headers.ts";
import { assessRecorded } from "../../../tools/probe/measurements/recorded-stream.ts";
import { assessSilence } from "../../../tools/probe/measurements/silence.ts";
import { assessUpload } from "../../../tools/probe/measurements/uploads.ts";

const seen = (...headers: readonly (readonly [string, string])[]) => ({
  headers,
  clientAcceptEncoding: null,
  httpProtocol: null,
});
const VIA = ["via", "1.1 ai-edge-interceptor"] as const;

const DELIVERY = { expected: 4, gapMs: 100, offsetMs: 5000 };
/** The provider's clock is 5 s ahead; each event takes 20 ms. */
const deliveredAt = (...times: readonly number[]) =>
  times.map((receivedAt, n) => ({ sentAt: 5000 + n * 100, receivedAt }));

const noticed = (state: State, note: Partial<Disconnected> | null, manner: "reset" | "close" = "close") => ({
  state,
  offset: { ms: 5000, errorMs: 10 },
  noticed: [
    { manner, leftAt: 1000, note: note && { at: 6020, stage: state, how: "signal" as const, ...note } },
  ],
});

const SILENCE = { silenceMs: 20_000, isBeforeHeaders: false, status: 200, refusal: null, brokenBy: null };
const RECORD = { id: "i", outcome: "completed", duration_ms: 40_100, token_usages: [{}] };
const STREAM = { ms: 40_000, brokenBy: null, afterMs: 40_050, record: RECORD };
const SENT = { bytes: 10, sha256: "s", spreadMs: 9000 };
const UPLOAD = { bytes: 10, sha256: "s", chunks: 10, spreadMs: 8900 };
const UPLOADED = { status: 200, refusal: null, upload: UPLOAD, sent: SENT, afterMs: 9100 };

const CASES: readonly (readonly [Verdict["kind"], string, Finding])[] = [
  ["as assumed", "identity in the header", assessEncoding(seen(["accept-encoding", "identity"]))],
  [
    "as assumed",
    "identity that only the edge of the echo replaced",
    assessEncoding({ ...seen(["accept-encoding", "br, gzip"]), clientAcceptEncoding: "identity" }),
  ],
  ["differs", "another encoding", assessEncoding(seen(["accept-encoding", "br, gzip"]))],
  ["differs", "no Accept-Encoding", assessEncoding(seen())],

  [
    "as assumed",
    "Via and a Worker's address",
    assessHeaders({
      seen: seen(VIA, ["cf-connecting-ip", "2a06:98c0:3600::103"]),
      clientAddress: "192.0.2.7",
    }),
  ],
  [
    "differs",
    "the client's address",
    assessHeaders({ seen: seen(VIA, ["x-real-ip", "192.0.2.7"]), clientAddress: "192.0.2.7" }),
  ],
  ["differs", "no Via", assessHeaders({ seen: seen(["cf-ray", "1-AMS"]), clientAddress: null })],

  ["as assumed", "a compressed JSON body", assessJson("br")],
  ["differs", "a JSON body without compression", assessJson(null)],
  ["as assumed", "an event stream without compression", assessEvents(null)],
  ["differs", "a compressed event stream", assessEvents("gzip")],
  [
    "as assumed",
    "both lengths",
    assessLengths([
      ["chat", "20000"],
      ["control", "20000"],
    ]),
  ],
  [
    "differs",
    "a missing length",
    assessLengths([
      ["chat", "20000"],
      ["control", null],
    ]),
  ],
  ["as assumed", "equal digests", assessDigests({ json: ["a", "a"], events: ["b", "b"] })],
  ["differs", "other bytes", assessDigests({ json: ["a", "a"], events: ["b", "c"] })],

  [
    "as assumed",
    "events 100 ms apart",
    assessDelivery({ ...DELIVERY, deliveries: deliveredAt(20, 120, 221, 320) }),
  ],
  [
    "as assumed",
    "two events together, by a busy machine",
    assessDelivery({ ...DELIVERY, deliveries: deliveredAt(20, 120, 121, 320) }),
  ],
  [
    "differs",
    "all events at the end",
    assessDelivery({ ...DELIVERY, deliveries: deliveredAt(320, 320, 321, 322) }),
  ],
  ["differs", "a missing event", assessDelivery({ ...DELIVERY, deliveries: deliveredAt(20, 120, 220) })],

  ["as assumed", "a reset that is noticed at once", assessDisconnect(noticed("pause", {}, "reset"))],
  [
    "differs",
    "a reset that is noticed with the next bytes",
    assessDisconnect(noticed("pause", { at: 26_000, stage: "events" }, "reset")),
  ],
  [
    "as assumed",
    "a close that is noticed with the next bytes",
    assessDisconnect(noticed("pause", { at: 26_000, stage: "events" })),
  ],
  ["differs", "a close in silence that is noticed at once", assessDisconnect(noticed("pause", {}))],
  ["differs", "a close in silence that is never noticed", assessDisconnect(noticed("pause", null))],
  ["as assumed", "a close in mid-stream that is noticed at once", assessDisconnect(noticed("events", {}))],
  [
    "differs",
    "a close in mid-stream that is noticed after 10 s",
    assessDisconnect(noticed("events", { at: 16_000 })),
  ],

  ["as assumed", "a survived silence", assessSilence({ ...SILENCE, afterMs: 20_300 })],
  [
    "differs",
    "a stream cut by the edge",
    assessSilence({ ...SILENCE, silenceMs: 130_000, brokenBy: "closed", afterMs: 100_000 }),
  ],
  [
    "as assumed",
    "a stream ended by LIMITS.idle_ms",
    assessSilence({ ...SILENCE, silenceMs: 410_000, brokenBy: "closed", afterMs: 300_200 }),
  ],
  [
    "differs",
    "a status 524",
    assessSilence({ ...SILENCE, isBeforeHeaders: true, silenceMs: 130_000, status: 524, afterMs: 125_000 }),
  ],
  [
    "as assumed",
    "410 s before the headers",
    assessSilence({ ...SILENCE, isBeforeHeaders: true, silenceMs: 410_000, afterMs: 410_300 }),
  ],

  ["as assumed", "a recorded stream", assessRecorded(STREAM)],
  ["not measured", "no admin token", assessRecorded({ ...STREAM, record: undefined })],
  ["differs", "no record", assessRecorded({ ...STREAM, record: null })],
  ["differs", "a record without an end", assessRecorded({ ...STREAM, record: { ...RECORD, outcome: null } })],
  [
    "differs",
    "a record without usage",
    assessRecorded({ ...STREAM, record: { ...RECORD, token_usages: [] } }),
  ],
  ["differs", "a stream that broke off", assessRecorded({ ...STREAM, brokenBy: "closed" })],

  ["as assumed", "an upload that arrives as it is sent", assessUpload(UPLOADED)],
  [
    "differs",
    "an upload that a network buffers",
    assessUpload({ ...UPLOADED, upload: { ...UPLOAD, spreadMs: 20 } }),
  ],
  [
    "differs",
    "an upload with other bytes",
    assessUpload({ ...UPLOADED, upload: { ...UPLOAD, sha256: "t" } }),
  ],
  [
    "not measured",
    "an upload above the gateway's own limit",
    assessUpload({ ...UPLOADED, status: 413, refusal: "body_too_large", upload: null }),
  ],
  ["differs", "an upload above the zone's limit", assessUpload({ ...UPLOADED, status: 413, upload: null })],
  ["differs", "an upload that fails", assessUpload({ ...UPLOADED, status: 502, upload: null })],

  ["as assumed", "a create-only put", assessCreateOnly({ first: true, second: false, kept: true })],
  ["differs", "a put that replaces the object", assessCreateOnly({ first: true, second: true, kept: false })],
  ["differs", "a put that creates nothing", assessCreateOnly({ first: false, second: false, kept: false })],
  ["as assumed", "a prompt queue", assessQueue({ sendMs: [20, 30], deliveredMs: [5100, 5000] })],
  ["differs", "a send above 2 s", assessQueue({ sendMs: [20, 2100], deliveredMs: [5100, 5000] })],
  ["differs", "a message that is not delivered", assessQueue({ sendMs: [20], deliveredMs: [null] })],
  ["as assumed", "a near Durable Object", assessObject({ firstMs: 40, callsMs: [2, 3, 4] })],
  ["differs", "a Durable Object beyond the timeout", assessObject({ firstMs: 2500, callsMs: [2] })],

  ["as assumed", "thirty seconds of grace", assessGrace({ from: 0, last: 29_400, finished: false })],
  ["differs", "seven seconds of grace", assessGrace({ from: 0, last: 7000, finished: false })],
  ["differs", "no limit of the grace period", assessGrace({ from: 0, last: 45_000, finished: true })],
  ["not measured", "a disconnect that the echo did not notice", assessGrace(null)],
];

describe("a verdict of the probe", () => {
  it.each(CASES)("is %s for %s", (kind, _, finding) => {
    expect(finding.verdict.kind).toBe(kind);
    expect(finding.measured).not.toMatch(/NaN|undefined|null ms/);
  });

  it("shows no address but Cloudflare's own", () => {
    const { measured } = assessHeaders({
      seen: seen(VIA, ["cf-connecting-ip", "2001:db8::7"], ["x-real-ip", "192.0.2.7"]),
      clientAddress: "192.0.2.7",
    });
    expect(measured).toBe(
      "via: 1.1 ai-edge-interceptor; cf-connecting-ip: (an address); x-real-ip: (the client's address)",
    );
  });

  it("names the time of a disconnect by the client's clock", () => {
    expect(assessDisconnect(noticed("events", {})).measured).toBe("close: at once, 20 ms (± 10 ms)");
  });

  it("finds the arrival of an event that is cut between two chunks", () => {
    const chunks = [
      [10, 'data: {"probe":{"n":0,"at":1}}\n\ndata: {"probe":{"n":1,'],
      [20, '"at":2}}\n\n'],
    ] as const;
    expect(deliveriesOf({ chunks: chunks.map(([at, text]) => ({ at, bytes: Buffer.from(text) })) })).toEqual([
      { sentAt: 1, receivedAt: 10 },
      { sentAt: 2, receivedAt: 20 },
    ]);
  });
});
