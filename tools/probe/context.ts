/** Everything that the measurements of one run share. */
import type { Echo } from "./echo-client.ts";
import type { Bindings } from "./echo/protocol.ts";
import type { Offset } from "./clock-offset.ts";
import type { Plan } from "./plan.ts";
import type { RecordsReader } from "./records-reader.ts";

export type Context = {
  readonly plan: Plan;
  readonly isLocal: boolean;
  /** The echo through the gateway. */
  readonly echo: Echo;
  /** The echo without the gateway: the baseline of the platform alone. Null without `--echo-url`. */
  readonly direct: Echo | null;
  readonly bindings: Bindings;
  /** The echo's clock against this machine's. */
  readonly offset: Offset;
  /** Null without an admin token. */
  readonly records: RecordsReader | null;
  readonly sleep: (ms: number) => Promise<void>;
};
