/** The part of Cloudflare's API that wrangler needs for a deployment, over a fake account. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import {
  attachConsumer,
  ledger,
  uploadWorker,
  type Binding,
  type FakeAccount,
  type Upload,
} from "./fake-account.ts";

export type FakeApi = {
  readonly url: string;
  /** "PUT /workers/scripts/ai-edge-interceptor", for each request. */
  readonly requests: readonly string[];
  readonly close: () => void;
};

/** The result of a request, or the code of an error. */
type Reply = { readonly result: unknown } | { readonly status: number; readonly code: number };

type Request = {
  readonly account: FakeAccount;
  /** The parts of the path that are in parentheses in the route. */
  readonly parts: readonly string[];
  readonly query: URLSearchParams;
  /** The fields of a JSON body. */
  readonly body: Readonly<Record<string, unknown>>;
  /** Of an uploaded script. */
  readonly upload: Upload;
};

export async function startFakeApi(account: FakeAccount): Promise<FakeApi> {
  const requests: string[] = [];
  const server = createServer((request, response) => void respond(account, request, response, requests));
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/client/v4`, requests, close: () => void server.close() };
}

async function respond(
  account: FakeAccount,
  request: IncomingMessage,
  response: ServerResponse,
  requests: string[],
): Promise<void> {
  const url = new URL(request.url ?? "", "http://localhost");
  const line = `${request.method} ${url.pathname.replace("/client/v4/accounts/fake-account", "")}`;
  requests.push(line);
  const [pattern, handle] = ROUTES.find(([route]) => route.test(line)) ?? [];
  const parts = pattern?.exec(line)?.slice(1) ?? [];
  const content = await readContent(request);
  const reply = handle?.({ account, parts, query: url.searchParams, ...content }) ?? error(404, 7003);
  const errors = "code" in reply ? [{ code: reply.code, message: `Error ${reply.code}` }] : [];
  response.writeHead("code" in reply ? reply.status : 200, { "content-type": "application/json" });
  const result = "result" in reply ? reply.result : null;
  response.end(JSON.stringify({ success: errors.length === 0, errors, messages: [], result }));
}

async function readContent(request: IncomingMessage): Promise<Pick<Request, "body" | "upload">> {
  const bytes = await buffer(request);
  const type = request.headers["content-type"] ?? "";
  if (!type.startsWith("multipart/")) {
    const body = (bytes.length === 0 ? {} : JSON.parse(bytes.toString())) as Request["body"];
    return { body, upload: { bindings: [], handlesQueue: false } };
  }
  const form = await new Response(new Uint8Array(bytes), { headers: { "content-type": type } }).formData();
  const metadata = JSON.parse(String(form.get("metadata"))) as Metadata;
  const script = await (form.get(metadata.main_module) as Blob).text();
  const steps = metadata.migrations?.steps ?? [];
  const newClasses = steps.flatMap(({ new_sqlite_classes: classes }) => classes ?? []);
  // A method in the minified bundle. The platform evaluates the script instead.
  const handlesQueue = /\basync queue\(/.test(script);
  const [, names = ""] = /export\s*\{([^}]*)\}/.exec(script) ?? [];
  const exports = names.split(",").map((name) => name.replace(/^.* as /s, "").trim());
  return { body: {}, upload: { bindings: metadata.bindings, handlesQueue, exports, newClasses } };
}

type Metadata = {
  readonly main_module: string;
  readonly bindings: readonly Binding[];
  readonly migrations?: { readonly steps: readonly { readonly new_sqlite_classes?: readonly string[] }[] };
};

const ok = (result: unknown = {}): Reply => ({ result });
const error = (status: number, code: number): Reply => ({ status, code });
const outcome = (code: number | null, result: unknown = {}): Reply =>
  code === null ? ok(result) : error(400, code);

type Handler = (request: Request) => Reply;

/** With the Worker that the path names, or the code of an unknown one. */
const withWorker =
  (code: number, handle: (worker: WorkerOf, request: Request) => Reply): Handler =>
  (request) => {
    const worker = request.account.workers.get(request.parts[0] ?? "");
    return worker === undefined ? error(404, code) : handle(worker, request);
  };
type WorkerOf = NonNullable<ReturnType<FakeAccount["workers"]["get"]>>;

const deployVersion: Handler = ({ account, parts: [script = ""], upload }) => {
  const code = uploadWorker(account, script, upload);
  const id = account.workers.get(script)?.deployed;
  return outcome(code, { id, deployment_id: id, resources: { script: { etag: "" } } });
};

const SCRIPT = "/workers/scripts/([^/]+)";

const WORKER_ROUTES: readonly (readonly [string, Handler])[] = [
  [
    "GET /workers/services/([^/]+)",
    withWorker(10_090, ({ classes }) =>
      ok({
        default_environment: {
          environment: "production",
          script: {
            tag: "",
            tags: null,
            last_deployed_from: "wrangler",
            ...(classes.size > 0 && { migration_tag: "v1" }),
          },
        },
      }),
    ),
  ],
  [`PUT ${SCRIPT}`, deployVersion],
  // The console's files are there already: none is left to be uploaded.
  [`POST ${SCRIPT}/assets-upload-session`, () => ok({ jwt: "fake.upload.token", buckets: [] })],
  [`POST ${SCRIPT}/versions`, deployVersion],
  [
    `POST ${SCRIPT}/deployments`,
    withWorker(10_007, (worker, { body }) => {
      const [version] = body["versions"] as readonly { readonly version_id: string }[];
      worker.deployed = version?.version_id ?? worker.deployed;
      return ok();
    }),
  ],
  [
    `GET ${SCRIPT}/deployments`,
    withWorker(10_007, ({ versions, deployed }) => {
      const older = versions.filter(({ id }) => id < deployed).toReversed();
      const ids = [deployed, ...older.map(({ id }) => id)];
      return ok({ deployments: ids.map(deploymentBody) });
    }),
  ],
  [
    `GET ${SCRIPT}/versions/([^/]+)`,
    withWorker(10_007, ({ versions }, { parts: [, id = ""] }) =>
      ok(versionBody(id, versions.find((version) => version.id === id)?.bindings)),
    ),
  ],
  [`PATCH ${SCRIPT}/script-settings`, withWorker(10_007, () => ok())],
  [
    `GET ${SCRIPT}/settings`,
    withWorker(10_007, ({ versions }) => ok({ bindings: versions.at(-1)?.bindings })),
  ],
  [
    `PUT ${SCRIPT}/schedules`,
    withWorker(10_007, (worker, { body }) => {
      worker.crons = Object.values(body).map((one) => (one as { readonly cron: string }).cron);
      return ok();
    }),
  ],
  [
    "GET /workers/workers/([^/]+)",
    withWorker(10_007, ({ workersDev }) => ok({ subdomain: subdomainBody(workersDev) })),
  ],
  [
    `POST ${SCRIPT}/subdomain`,
    withWorker(10_007, (worker, { body }) => {
      worker.workersDev = body["enabled"] === true;
      return ok(subdomainBody(worker.workersDev));
    }),
  ],
  [
    `GET ${SCRIPT}/secrets`,
    withWorker(10_007, ({ secrets }) => ok(secrets.map((name) => ({ name, type: "secret_text" })))),
  ],
  [
    `PUT ${SCRIPT}/secrets`,
    withWorker(10_007, ({ secrets }, { body }) => {
      secrets.push(String(body["name"]));
      return ok();
    }),
  ],
  [
    `DELETE ${SCRIPT}/secrets/([^/]+)`,
    withWorker(10_007, ({ secrets }, { parts: [, name = ""] }) => {
      const at = secrets.indexOf(name);
      if (at < 0) return error(404, 10_056);
      secrets.splice(at, 1);
      return ok();
    }),
  ],
  [
    `PUT ${SCRIPT}/domains/records`,
    ({ account, parts: [script = ""], body }) => {
      for (const { hostname } of body["origins"] as readonly { readonly hostname: string }[])
        account.domains.set(hostname, script);
      return ok();
    },
  ],
  [`POST ${SCRIPT}/domains/changeset`, () => ok({ added: [], removed: [], updated: [], conflicting: [] })],
  [`POST ${SCRIPT}/tails`, withWorker(10_007, () => error(400, 10_000))],
];

const deploymentBody = (id: string): object => ({
  id,
  source: "wrangler",
  strategy: "percentage",
  author_email: "operator@example.com",
  created_on: "2026-11-28T00:00:00Z",
  versions: [{ version_id: id, percentage: 100 }],
});

const versionBody = (id: string, bindings: readonly Binding[] = []): object => ({
  id,
  number: 1,
  metadata: { created_on: "2026-11-28T00:00:00Z", source: "wrangler", author_email: "operator@example.com" },
  resources: { bindings, script: { handlers: [] }, script_runtime: {} },
});

const subdomainBody = (enabled: boolean): object => ({ enabled, previews_enabled: false });

const DATABASE_ROUTES: readonly (readonly [string, Handler])[] = [
  ["GET /d1/database", ({ account }) => ok(account.databases.map(databaseBody))],
  [
    "POST /d1/database",
    ({ account: { databases }, body }) => {
      const name = String(body["name"]);
      if (databases.some((one) => one.name === name)) return error(400, 7502);
      const created = ledger(name, `0a1b2c3d-0000-4000-8000-${String(databases.length).padStart(12, "0")}`);
      databases.push(created);
      return ok(databaseBody(created));
    },
  ],
  [
    "GET /d1/database/([^/]+)",
    ({ account, parts: [key] }) => {
      const found = account.databases.find(({ uuid, name }) => key === uuid || key === name);
      return found === undefined ? error(404, 7404) : ok(databaseBody(found));
    },
  ],
  [
    "POST /d1/database/([^/]+)/query",
    ({ account, parts: [id], body }) => {
      const database = account.databases.find(({ uuid }) => uuid === id);
      if (database === undefined) return error(404, 7404);
      return ok([{ success: true, results: query(database.sqlite, String(body["sql"])), meta: {} }]);
    },
  ],
];

const databaseBody = ({ uuid, name }: FakeAccount["databases"][number]): object => ({
  uuid,
  name,
  version: "production",
});

/** The rows of a single SELECT. Other statements, of which there may be several, return no rows. */
function query(sqlite: FakeAccount["databases"][number]["sqlite"], sql: string): readonly unknown[] {
  if (/^\s*SELECT/i.test(sql)) return sqlite.prepare(sql).all();
  sqlite.exec(sql);
  return [];
}

const QUEUE_ROUTES: readonly (readonly [string, Handler])[] = [
  [
    "GET /queues",
    ({ account, query: search }) => {
      const names = search.getAll("name");
      const matching = [...account.queues].filter(([name]) => names.length === 0 || names.includes(name));
      return ok(matching.map(([name, consumers]) => queueBody(name, consumers)));
    },
  ],
  [
    "POST /queues",
    ({ account, body }) => {
      const name = String(body["queue_name"]);
      if (account.queues.has(name)) return error(409, 11_009);
      account.queues.set(name, []);
      return ok();
    },
  ],
  [
    "(?:POST|PUT) /queues/([^/]+)/consumers(?:/[^/]+)?",
    ({ account, parts: [queue = ""], body }) => {
      const dead = body["dead_letter_queue"];
      return outcome(
        attachConsumer(account, queue, String(body["script_name"]), dead === undefined ? dead : String(dead)),
      );
    },
  ],
  [
    "DELETE /queues/([^/]+)/consumers/([^/]+)",
    ({ account, parts: [queue = "", script] }) => {
      const consumers = account.queues.get(queue) ?? [];
      const at = consumers.findIndex((consumer) => consumer.script === script);
      if (at < 0) return error(404, 11_003);
      consumers.splice(at, 1);
      return ok();
    },
  ],
];

const queueBody = (name: string, consumers: readonly { readonly script?: string }[]): object => ({
  queue_id: name,
  queue_name: name,
  consumers: consumers.map((consumer) => ({ ...consumer, consumer_id: consumer.script, settings: {} })),
  consumers_total_count: consumers.length,
  producers_total_count: 0,
});

/** Matched against the method and the path. */
const ROUTES: readonly (readonly [RegExp, Handler])[] = [
  ...WORKER_ROUTES,
  ...DATABASE_ROUTES,
  ...QUEUE_ROUTES,
].map(([pattern, handle]) => [new RegExp(`^${pattern}$`), handle] as const);
