/** Whether the client's bytes are the provider's: a JSON body and an event stream, by SHA-256. */
import { createHash } from "node:crypto";
import { bodyOf } from "../client/http.ts";
import { payloadText, type Ended } from "../echo/protocol.ts";
import { asAssumed, define, differs, type Finding } from "../measurement.ts";

const BYTES = 100_000;
const RUN = "bytes";

const sha256 = (bytes: Uint8Array | string): string => createHash("sha256").update(bytes).digest("hex");

export type Digests = {
  readonly json: readonly [string, string];
  readonly events: readonly [string, string];
};

export function assessDigests(digests: Digests): Finding {
  const unequal = Object.entries(digests).filter(([, [sent, received]]) => sent !== received);
  return unequal.length === 0
    ? asAssumed(`equal: ${BYTES / 1000} KB of JSON, and a stream of 50 events`)
    : differs(
        `not equal: ${unequal.map(([name]) => name).join(", ")}`,
        "a defect, or a zone setting that changes bodies (Rocket Loader, email obfuscation): turn it off for the host",
      );
}

export const equalBytes = define<Digests>({
  question: "Are the client's bytes the provider's?",
  assumed: "yes (docs/guarantees.md)",
  phase: "quick",
  requests: 3,
  measure: async ({ echo }) => {
    const json = await (await echo.open("payload", { params: { bytes: BYTES } })).received;
    const params = { events: 50, gap_ms: 5, run: RUN };
    const stream = await (await echo.open("stream", { route: "chat", params })).received;
    const [notes] = await echo.notes([RUN], ["ended"]);
    const ended = notes?.["ended"] as Ended | undefined;
    return {
      json: [sha256(payloadText(BYTES)), sha256(bodyOf(json))],
      events: [ended?.sha256 ?? "unknown", sha256(bodyOf(stream))],
    };
  },
  assess: assessDigests,
});
