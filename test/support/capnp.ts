/** Text of workerd configurations (the schema is `workerd.capnp` in the `workerd` package). */

export type Binding =
  | { readonly text: string }
  | { readonly json: unknown }
  | { readonly service: string }
  /** A queue's producer: each message is a `POST /message` to that service. */
  | { readonly queue: string }
  /** A KV namespace: each read is a `GET /<key>` to that service. */
  | { readonly kv: string }
  /** One of the Worker's own `durableObjects`, by its class, or one `of` another Worker. */
  | { readonly durableObject: string; readonly of?: string }
  | { readonly wrapped: string; readonly inner: Readonly<Record<string, string>> };

export type WorkerService = {
  readonly name: string;
  /** A path to the only module, or its source. */
  readonly module: { readonly path: string } | { readonly source: string };
  readonly compatibilityDate: string;
  readonly compatibilityFlags?: readonly string[];
  readonly bindings?: Readonly<Record<string, Binding>>;
  /** Classes that it exports; what their objects store is in the process's own directory, and goes with it. */
  readonly durableObjects?: readonly string[];
};

export type WorkerdConfig = {
  readonly workers: readonly WorkerService[];
  /** Socket name → Worker name. */
  readonly sockets: Readonly<Record<string, string>>;
  /** Services outside: name → `host:port` of an HTTP server. */
  readonly externals?: Readonly<Record<string, string>>;
  /** Internal modules by name, for wrapped bindings. */
  readonly internalModules?: Readonly<Record<string, string>>;
  /** Console lines as JSON objects with level and time, instead of as they are. */
  readonly structuredLogging: boolean;
};

export function workerdConfig({
  workers,
  sockets,
  externals = {},
  internalModules = {},
  structuredLogging,
}: WorkerdConfig): string {
  const socketList = Object.entries(sockets).map(
    ([name, service]) =>
      `(name = ${quote(name)}, address = "127.0.0.1:0", http = (), service = ${quote(service)})`,
  );
  const externalList = Object.entries(externals).map(
    ([name, address]) => `(name = ${quote(name)}, external = (address = ${quote(address)}, http = ()))`,
  );
  const moduleList = Object.entries(internalModules).map(
    ([name, source]) => `(name = ${quote(name)}, internal = true, esModule = ${quote(source)})`,
  );
  const disk = workers.some(({ durableObjects = [] }) => durableObjects.length > 0) ? [DISK] : [];
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    ${[...workers.map(workerService), ...externalList, LOOPBACK, ...disk].join(",\n    ")}
  ],
  sockets = [${socketList.join(", ")}],
  extensions = [(modules = [${moduleList.join(", ")}])],
  logging = (structuredLogging = ${structuredLogging}),
);
`;
}

/** By default workerd's `fetch` reaches public addresses only, and the fake providers are on loopback. */
const LOOPBACK = `(name = "loopback", network = (allow = ["private"]))`;

/** SQL needs a disk. */
const DISK = `(name = "disk", disk = (path = ".", writable = true))`;

function workerService(worker: WorkerService): string {
  const source = "path" in worker.module ? `embed ${quote(worker.module.path)}` : quote(worker.module.source);
  const bindings = Object.entries(worker.bindings ?? {}).map(([name, value]) => binding(name, value));
  return `(name = ${quote(worker.name)}, worker = (
      modules = [(name = "index.js", esModule = ${source})],
      compatibilityDate = ${quote(worker.compatibilityDate)},
      compatibilityFlags = [${(worker.compatibilityFlags ?? []).map(quote).join(", ")}],
      bindings = [${bindings.join(", ")}],
      durableObjectNamespaces = [${(worker.durableObjects ?? []).map(namespace).join(", ")}],
      durableObjectStorage = (${worker.durableObjects?.length ? `localDisk = "disk"` : "inMemory = void"}),
      globalOutbound = "loopback"))`;
}

function namespace(className: string): string {
  return `(className = ${quote(className)}, uniqueKey = ${quote(className)}, enableSql = true)`;
}

function binding(name: string, value: Binding): string {
  const named = `name = ${quote(name)}`;
  if ("text" in value) return `(${named}, text = ${quote(value.text)})`;
  if ("json" in value) return `(${named}, json = ${quote(JSON.stringify(value.json))})`;
  if ("queue" in value) return `(${named}, queue = ${quote(value.queue)})`;
  if ("kv" in value) return `(${named}, kvNamespace = ${quote(value.kv)})`;
  if ("durableObject" in value) {
    const { durableObject, of } = value;
    const service = of === undefined ? "" : `, serviceName = ${quote(of)}`;
    return `(${named}, durableObjectNamespace = (className = ${quote(durableObject)}${service}))`;
  }
  if ("service" in value) return `(${named}, service = ${quote(value.service)})`;
  const inner = Object.entries(value.inner).map(([key, text]) => binding(key, { text }));
  return `(${named}, wrapped = (moduleName = ${quote(value.wrapped)}, innerBindings = [${inner.join(", ")}]))`;
}

/** capnp strings know C's escapes, not JSON's `\u`. */
function quote(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what this looks for
  const escaped = text.replace(/[\x00-\x1f\x7f"\\]/g, (char) => {
    return `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
  return `"${escaped}"`;
}

/** As wrangler binds them: a string var is text, anything else JSON; secrets are text. */
export function varBindings(
  vars: Readonly<Record<string, unknown>>,
  secrets: Readonly<Record<string, string>>,
): Record<string, Binding> {
  const all: Record<string, Binding> = {};
  for (const [name, value] of Object.entries(vars)) {
    all[name] = typeof value === "string" ? { text: value } : { json: value };
  }
  for (const [name, value] of Object.entries(secrets)) all[name] = { text: value };
  return all;
}
