/** Analytics Engine bindings for a plain workerd: as strict as the real ones, and readable from its console. */
import { readFile } from "node:fs/promises";
import { stripTypeScriptTypes } from "node:module";
import { join } from "node:path";
import type { Binding } from "./capnp.ts";
import { POINT_MARK } from "./event-log.ts";

/** `failing`: every write throws. */
export function analyticsBinding(dataset: string, mode: string): Binding {
  return { wrapped: "fake:analytics", inner: { dataset, mode } };
}

export async function analyticsModules(): Promise<Record<string, string>> {
  const strict = await readFile(join(import.meta.dirname, "strict-analytics.ts"), "utf8");
  return { "fake:analytics": ANALYTICS, "fake:strict-analytics": withoutTypes(strict) };
}

/** Node 24 warns at each start that this function is experimental; in test output that is only noise. */
function withoutTypes(source: string): string {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return stripTypeScriptTypes(source);
  } finally {
    process.emitWarning = emitWarning;
  }
}

/** A wrapped binding runs in the Worker's own isolate, so that it can throw from the call, as the real one does. */
const ANALYTICS = `
import { assertPoint } from "fake:strict-analytics";
export default ({ dataset, mode }) => ({
  writeDataPoint(point = {}) {
    if (mode === "failing") throw new Error("Analytics Engine is down");
    assertPoint(point);
    console.debug(${JSON.stringify(POINT_MARK)} + JSON.stringify({ dataset, point }));
  },
});
`;
