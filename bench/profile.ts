/**
 * V8's sampling profile of the gateway under one kind of traffic, by function.
 *
 *     npm run bench:profile -- [json|tools|burst|burst-no-usage] [--ledger] [--project <folder>]
 *
 * `(program)` is all native code: sockets, HTTP, streams, wake-ups. The bare Worker has that cost too.
 */
import { parseArgs } from "node:util";
import { productionBundle } from "../test/support/bundle.ts";
import { openInspector } from "./inspector.ts";
import { runLoad } from "./load.ts";
import { openRaw } from "../test/support/raw-client.ts";
import { requestFor, type Traffic } from "./traffic.ts";
import { startInterceptor } from "./interceptor.ts";
import { startProvider } from "./provider.ts";
import type { Variant } from "./variant.ts";
import { exitOnClosedPipe } from "../tools/closed-pipe.ts";

exitOnClosedPipe();

type Profile = {
  nodes: { id: number; callFrame: { functionName: string; url: string; lineNumber: number } }[];
  samples: number[];
  timeDeltas: number[];
};

const REQUESTS: Readonly<Record<Traffic, number>> = {
  json: 4_000,
  tools: 2_000,
  burst: 100,
  "burst-no-usage": 100,
  steady: 0,
  paced: 0,
  slow: 0,
};
const SHOWN = 40;

async function profile(interceptor: Variant, traffic: Traffic): Promise<Profile> {
  const request = requestFor(traffic, interceptor);
  const once = await openRaw(interceptor.port);
  once.write(request);
  const { length } = (await once.readResponse("POST")).body;
  once.destroy();
  const load = (count: number) =>
    runLoad(interceptor.port, { request, count, connections: 8, bodyBytes: length });
  await load(REQUESTS[traffic] / 4);
  const { call } = await openInspector(interceptor.inspector ?? 0);
  await call("Profiler.enable");
  await call("Profiler.setSamplingInterval", { interval: 200 });
  await call("Profiler.start");
  await load(REQUESTS[traffic]);
  return ((await call("Profiler.stop")) as { profile: Profile }).profile;
}

function print({ nodes, samples, timeDeltas }: Profile): void {
  const names = new Map(
    nodes.map(({ id, callFrame: at }) => [id, `${at.functionName || "(anonymous)"} ${at.lineNumber + 1}`]),
  );
  const micros = new Map<string, number>();
  samples.forEach((id, n) => {
    const name = names.get(id) ?? "(unknown)";
    micros.set(name, (micros.get(name) ?? 0) + (timeDeltas[n] ?? 0));
  });
  micros.delete("(idle) 0");
  const total = [...micros.values()].reduce((sum, value) => sum + value, 0);
  const rows = [...micros].toSorted(([, a], [, b]) => b - a).slice(0, SHOWN);
  console.log("  %  self   function, line of the bundle");
  for (const [name, value] of rows)
    console.log(`${((value / total) * 100).toFixed(1).padStart(5)}      ${name}`);
}

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: { project: { type: "string" }, ledger: { type: "boolean" } },
});
const provider = await startProvider();
const interceptor = await startInterceptor(provider, await productionBundle(flags.project, true), {
  inspected: true,
  ...(flags.ledger ? { queue: "http" as const } : {}),
});
try {
  print(await profile(interceptor, (positionals[0] ?? "json") as Traffic));
} finally {
  await interceptor.stop();
  provider.stop();
}
