/**
 * The gateway's production bundle in its own workerd process.
 *
 *     const interceptor = await startInterceptor({
 *       vars: { PROVIDERS: { openai: { type: "openai", base_url: `${upstream.url}/v1` } } },
 *     });
 *     const response = await rawRequest(interceptor.port, { target: "/openai/v1/models" });
 *     await interceptor.waitForEvents((events) => events.some((e) => e.record_type === "interception_end"));
 */
import { build } from "esbuild";
import type { InterceptorEvent } from "../../src/events/event.ts";
import { analyticsBinding, analyticsModules } from "./analytics-binding.ts";
import { PROJECT, productionBundle, type Bundle } from "./bundle.ts";
import { varBindings, workerdConfig } from "./capnp.ts";
import { until } from "./deadline.ts";
import { EventLog, FLUSH_MARK, QUEUE_MARK, type LogLine, type WrittenPoint } from "./event-log.ts";
import { startWorkerd, type Workerd } from "./workerd.ts";
import { supportedDate } from "./workerd-build.ts";

export type InterceptorOptions = {
  /** Each replaces the var of that name in wrangler.toml. Strings and tables, as there. */
  readonly vars?: Readonly<Record<string, unknown>>;
  readonly secrets?: Readonly<Record<string, string>>;
  /** `strict` (the default) refuses what the real binding refuses, as it does: by throwing from the call. */
  readonly analytics?: "strict" | "failing" | "absent";
  /** The queue: takes every message, responds 429, never responds, or (the default) is not bound. */
  readonly queue?: "taking" | "refusing" | "hanging" | "absent";
  /** The replay cache: its Durable Object is bound, or (the default) not. */
  readonly nonces?: "bound" | "absent";
  /** The owners of stored objects, as `nonces`. */
  readonly owners?: "bound" | "absent";
  /** The budget objects, which are those of another Worker, as `nonces`. */
  readonly budgets?: "bound" | "absent";
};

export type RunningInterceptor = {
  readonly url: string;
  readonly port: number;
  /** Of the workerd process. */
  readonly pid: number;
  /** The interception log so far. */
  events(): InterceptorEvent[];
  waitForEvents(enough: (events: readonly InterceptorEvent[]) => boolean): Promise<InterceptorEvent[]>;
  /** Everything printed, including the events. */
  lines(): LogLine[];
  /** Points written to the data set of a binding (`INTERCEPTIONS`, `OVERRIDES`), or to all. */
  points(binding?: string): WrittenPoint[];
  /** The events that the queue has taken. */
  queued(): InterceptorEvent[];
  /** The messages that the queue took, as text. */
  queuedTexts(): string[];
  /** Resolves when everything printed before this call can be read: for assertions that a line was *not* printed. */
  flush(): Promise<void>;
  clear(): void;
  /** Restarts on the same port with these options in place of the old ones. */
  update(options: InterceptorOptions): Promise<void>;
  close(): Promise<void>;
};

/** `bundle`: another Worker in place of the gateway. */
export async function startInterceptor(
  options: InterceptorOptions = {},
  bundle?: Bundle,
): Promise<RunningInterceptor> {
  const log = new EventLog();
  const worker = bundle ?? (await productionBundle());
  let workerd = await start(worker, options, log);
  const port = workerd.port("http");
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    get pid() {
      return workerd.pid;
    },
    events: () => log.events(),
    waitForEvents: (enough) => EventLog.waitForEvents(() => log, enough),
    lines: () => log.lines(),
    points: (binding) => log.points(binding),
    queued: () => log.queued(),
    queuedTexts: () => log.queuedTexts(),
    flush: async () => {
      // Both Workers print through one descriptor: when the mark has been read, so has what came before it.
      const mark = FLUSH_MARK + crypto.randomUUID();
      await fetch(`http://127.0.0.1:${workerd.port("mark")}`, { method: "POST", body: mark });
      await until(
        () => log.has(mark) || undefined,
        () => `no ${mark}\n${log.printout()}`,
      );
    },
    clear: () => log.clear(),
    update: async (changed) => {
      await workerd.stop();
      workerd = await start(worker, changed, log, port);
    },
    close: () => workerd.stop(),
  };
}

async function start(
  { script, settings }: Bundle,
  options: InterceptorOptions,
  log: EventLog,
  port?: number,
): Promise<Workerd> {
  const { vars = {}, secrets = {}, analytics = "strict", queue = "absent", nonces = "absent" } = options;
  const classes = {
    ...(nonces === "bound" && { NONCES: "NonceShard" }),
    ...(options.owners === "bound" && { OBJECTS: "ObjectOwnersShard" }),
  };
  const datasets = settings.analytics.map((name) => [name, analyticsBinding(name, analytics)]);
  const { compatibilityFlags } = settings;
  const compatibilityDate = supportedDate(settings.compatibilityDate);
  const config = workerdConfig({
    workers: [
      {
        name: "interceptor",
        module: { path: script },
        compatibilityDate,
        compatibilityFlags,
        durableObjects: Object.values(classes),
        bindings: {
          ...varBindings({ ...settings.vars, ...vars }, secrets),
          ...(analytics === "absent" ? {} : Object.fromEntries(datasets)),
          ...Object.fromEntries(
            Object.entries(classes).map(([name, durableObject]) => [name, { durableObject }]),
          ),
          ...(queue === "absent" ? {} : { EVENTS: { queue: "queue" } }),
          ...(options.budgets === "bound" && {
            BUDGET_OBJECTS: { durableObject: "BudgetObject", of: "budgets" },
          }),
        },
      },
      ...(options.budgets === "bound"
        ? [
            {
              name: "budgets",
              module: { source: await budgetObjects() },
              compatibilityDate,
              compatibilityFlags,
              durableObjects: ["BudgetObject"],
            },
          ]
        : []),
      {
        name: "queue",
        module: { source: QUEUE },
        compatibilityDate,
        bindings: { MODE: { text: queue } },
      },
      { name: "mark", module: { source: MARK }, compatibilityDate },
    ],
    sockets: { http: "interceptor", mark: "mark" },
    internalModules: await analyticsModules(),
    structuredLogging: true,
  });
  const output = (line: string) => log.take(parseLine(line));
  return startWorkerd({ config, sockets: { http: port, mark: undefined }, output });
}

/** A Worker that has the budget objects alone. */
async function budgetObjects(): Promise<string> {
  const contents = `export { BudgetObject } from "./src/records/objects/budget-object.ts"; export default {};`;
  const stdin = { contents, resolveDir: PROJECT, loader: "ts" } as const;
  const external = ["cloudflare:workers"];
  const options = { bundle: true, format: "esm", target: "esnext", external, write: false } as const;
  const { outputFiles } = await build({ stdin, ...options });
  return outputFiles[0]?.text ?? "";
}

/** `send` posts the message itself, and `sendBatch` JSON with each message in base64. */
const QUEUE = `
const decode = ({ body }) => new TextDecoder().decode(Uint8Array.from(atob(body), (char) => char.charCodeAt(0)));
export default {
  async fetch(request, { MODE }) {
    if (MODE === "hanging") return new Promise((resolve) => setTimeout(resolve, 2147483647));
    // Read in any case: a send whose message is not read hangs, regardless of the response.
    const body = await request.text();
    if (MODE === "refusing") return new Response("Too Many Requests", { status: 429 });
    const messages = new URL(request.url).pathname === "/batch" ? JSON.parse(body).messages.map(decode) : [body];
    for (const message of messages) console.debug(${JSON.stringify(QUEUE_MARK)} + message);
    return Response.json({ metadata: { metrics: { backlogCount: 0, backlogBytes: 0 } } });
  },
};`;

const MARK = `export default { async fetch(request) { console.log(await request.text()); return new Response(); } };`;

/** Console lines are JSON objects; workerd's own lines may not be. */
function parseLine(line: string): LogLine {
  try {
    const { level, message } = JSON.parse(line) as LogLine;
    if (typeof level === "string" && typeof message === "string") return { level, message };
  } catch {
    // Falls through: kept unchanged.
  }
  return { level: "runtime", message: line };
}
