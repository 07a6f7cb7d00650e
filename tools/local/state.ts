/**
 * Where `npm start` keeps its databases. The ledger of emulated runs opens to a published token, so that rows of real
 * calls must never be in it: each kind of provider has a folder of its own.
 */
import { join } from "node:path";
import { ROOT } from "../root.ts";
import { DEV_VARS, modeOf, readDevVars, type Mode } from "./dev-vars.ts";

export const stateFolder = (mode: Mode): string =>
  join(ROOT, ".wrangler", mode === "emulated" ? "state-emulated" : "state-real");

/** The folder that `npm start` would use now. */
export const currentStateFolder = (): string => stateFolder(modeOf(readDevVars(DEV_VARS)));
