/** The records Worker's entry in the demonstration: the one of `npm start`, with a clock that the demonstration sets. */
import { readConfig } from "../../../src/records/config/config.ts";
import type { Env } from "../../../src/shared/config/environment.ts";
import { SEAL_CRON } from "../../../src/records/ledger/seal/seal-job.ts";
import { createRecords } from "../../../src/records/wiring.ts";
import LocalRecords, {
  BudgetObject as LocalBudgetObject,
  LocalDelivery as Delivery,
} from "../../local/worker/records.ts";
import { age, setAge, useClockForAlarms } from "./clock.ts";

export default LocalRecords;

export class BudgetObject extends LocalBudgetObject {
  constructor(state: DurableObjectState) {
    useClockForAlarms(state.storage);
    super(state);
  }
}

/** It has the name that the gateway's binding has. */
export class LocalDelivery extends Delivery {
  /** Where the clock moves on, the crons of the time between run, as in a deployment. */
  async setClock(ageMs: number): Promise<void> {
    const to = Date.now() + age() - ageMs;
    if (to > Date.now()) await runCrons(this.env, to);
    setAge(ageMs);
  }
}

const HOUR_MS = 3_600_000;

/** The maintenance once; the sealer every hour, because the log notes the time every hour. */
async function runCrons(env: Env, to: number): Promise<void> {
  const config = readConfig(env);
  if ("issues" in config) throw new Error("the configuration is invalid");
  const { maintain, runCron } = createRecords(config);
  while (Date.now() + HOUR_MS < to) {
    setAge(age() - HOUR_MS);
    await runCron(SEAL_CRON, Date.now());
  }
  // It skips requests of the last minutes, which a maintenance at the beginning would never find.
  setAge(age() - (to - Date.now()));
  await maintain(Date.now());
}
