/** What there is to ask. Another endpoint is one file and one line here. */
import { anomalies } from "./anomalies.ts";
import { attribution } from "./attribution.ts";
import type { Endpoint } from "./endpoint.ts";
import { explain } from "./explain.ts";
import { interceptions } from "./interceptions.ts";
import { openapi } from "./openapi.ts";
import { overrides } from "./overrides.ts";
import { session } from "./session.ts";
import { sessions } from "./sessions.ts";
import { usage } from "./usage.ts";

export const ENDPOINTS: readonly Endpoint[] = [
  sessions,
  session,
  interceptions,
  overrides,
  usage,
  attribution,
  anomalies,
  explain,
  openapi(() => ENDPOINTS),
];
