/**
 * Faults that any client can trigger, because the model's name selects them. `--help` prints this table and the emulator
 * reads it, so both have the same faults. `metadata.emulated_fault` of a body selects one too, for any model: the
 * demonstration's records then have the names of real models.
 */
import { entryOf, helpTable } from "./by-name.ts";
import { objectAt, stringAt, type JsonObject } from "./json.ts";

/** The event after the first half of a response has been sent. */
export type NextAfterHalf = "reset" | "stall" | "end" | "error-event";

export type Fault =
  | { readonly kind: "status"; readonly status: number; readonly retryAfter?: number; readonly does: string }
  | { readonly kind: "half"; readonly next: NextAfterHalf; readonly does: string }
  | { readonly kind: "slow"; readonly does: string };

export const FAULTS = {
  "fault-429": { kind: "status", status: 429, retryAfter: 1, does: "429 rate limit, with retry-after: 1" },
  "fault-500": { kind: "status", status: 500, does: "500 in the provider's own error format" },
  "fault-529": { kind: "status", status: 529, does: "529 overloaded" },
  "fault-reset": { kind: "half", next: "reset", does: "half of the response, then the connection is reset" },
  "fault-stall": { kind: "half", next: "stall", does: "half of the response, then nothing more; stays open" },
  "fault-truncate": { kind: "half", next: "end", does: "half of the response, then a clean end" },
  "fault-error-event": {
    kind: "half",
    next: "error-event",
    does: "half of a stream, then an error event inside the 200; without a stream a 500",
  },
  "fault-slow": { kind: "slow", does: "one event (or tenth of a JSON response) a second" },
} as const satisfies Readonly<Record<string, Fault>>;

export const faultOf = (body: JsonObject): Fault | undefined =>
  entryOf<Fault>(
    FAULTS,
    stringAt(objectAt(body, "metadata"), "emulated_fault") ?? stringAt(body, "model") ?? "",
  );

/** The help text: each fault's name and effect. */
export const faultTable = (): string => helpTable<Fault>(FAULTS, ({ does }) => does);
