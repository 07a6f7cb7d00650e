/** Every measurement, in the order of the report. */
import type { Measurement } from "../measurement.ts";
import type { Plan } from "../plan.ts";
import { acceptEncoding } from "./accept-encoding.ts";
import { createOnly, objectDistance, queueLatency } from "./bindings.ts";
import { equalBytes } from "./bytes.ts";
import { eventCompression, jsonCompression } from "./compression.ts";
import { contentLength } from "./content-length.ts";
import { deliveries } from "./delivery.ts";
import { disconnects } from "./disconnects.ts";
import { graces } from "./grace.ts";
import { headers } from "./headers.ts";
import { recordedStreams } from "./recorded-stream.ts";
import { silences } from "./silence.ts";
import { uploads } from "./uploads.ts";

export const measurementsOf = (plan: Plan): readonly Measurement[] => [
  acceptEncoding,
  headers,
  equalBytes,
  contentLength,
  jsonCompression,
  eventCompression,
  ...deliveries(plan),
  ...disconnects(plan),
  ...silences(plan),
  ...recordedStreams(plan),
  ...graces(plan),
  ...uploads(plan),
  createOnly,
  queueLatency,
  objectDistance,
];
