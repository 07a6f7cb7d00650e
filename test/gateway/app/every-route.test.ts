/**
 * D12: no request reaches a provider without passing identity, initiator and policy. The routes come from the code's own
 * tables (the registry's dialects, `ENDPOINTS`, `API_ROUTES`, Hono's routes), so that a new one is tested at once.
 */
import { retain } from "../../support/in-workerd/retain.ts";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createApp } from "../../../src/gateway/app/app.ts";
import type { ConfiguredSource } from "../../../src/gateway/identity/identity.ts";
import type { Policy, PolicyRequest } from "../../../src/gateway/policy/policy.ts";
import type { Dialect, DialectRoute } from "../../../src/gateway/provider/provider.ts";
import { methodsOf } from "../../../src/gateway/provider/method.ts";
import { createDeps, registry } from "../../../src/gateway/wiring.ts";
import { ENDPOINTS } from "../../../src/records/api/endpoints.ts";
import { createRecords } from "../../../src/records/wiring.ts";
import { API_ROUTES } from "../../../src/shared/api-routes.ts";
import { sha256Hex } from "../../../src/shared/digest.ts";
import { ROUTE_PREFIXES } from "../../../src/shared/http/target.ts";
import { Refusal } from "../../../src/shared/refusal.ts";
import { DIALECTS, isAtRoot, samplePath } from "../../support/dialects.ts";
import { AGENTS, BODY, CLIENT_KEY, json, typesOf } from "../../support/in-workerd/calls.ts";
import {
  configOf,
  openGateway,
  type Exchange,
  type Gateway,
  type Setup,
} from "../../support/in-workerd/gateway-harness.ts";
import { actor, OWNER } from "../../support/in-workerd/values.ts";
import { consoleOff } from "../../support/console-settings.ts";

/** One spelling of one route, with one method. */
type Variant = {
  readonly dialect: Dialect;
  readonly route: DialectRoute;
  readonly method: string;
  readonly path: string;
  readonly upstream: string;
};

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "QUERY"];
const HOST = "https://central.example";

const VARIANTS: readonly Variant[] = registry.dialects.flatMap((dialect) =>
  dialect.routes.flatMap((route) =>
    pathsOf(route).flatMap((path) =>
      ["", ...ROUTE_PREFIXES]
        .flatMap((prefix) => [
          ...[dialect.mount, ...(dialect.aliases ?? [])].map((base) => `${prefix}/${dialect.type}${base}`),
          ...(isAtRoot(dialect) ? [`${prefix}${dialect.mount}`] : []),
        ])
        .flatMap((base) =>
          METHODS.map((method) => ({
            dialect,
            route,
            method,
            path: `${base}${path}`,
            upstream: `${HOST}/${dialect.type}${path}`,
          })),
        ),
    ),
  ),
);
/** HEAD of a probe's route: the gateway responds itself, and there is nothing to forward. */
const isOwnResponse = ({ route, method }: Variant): boolean => route.isProbe === true && method === "HEAD";
const PROBES = VARIANTS.filter(isOwnResponse);
const ALLOWED = VARIANTS.filter(
  (variant) => methodsOf(variant.route).includes(variant.method) && !isOwnResponse(variant),
);

function pathsOf(route: DialectRoute): readonly string[] {
  const path = samplePath(route.path);
  if (path.endsWith("/*")) return [path.replace("*", "one/two")];
  return route.kind === "passthrough" && route.below ? [path, `${path}/one`] : [path];
}

/**
 * The header by which a root path that several dialects share is recognized as this dialect's; the first dialect needs
 * none.
 */
const distinguishing = ({ distinguishingHeaders: [name] }: Dialect): Record<string, string> =>
  name ? { [name]: "2023-06-01" } : {};

const hasNoBody = (method: string): boolean => method === "GET" || method === "HEAD";

function initOf({ method, dialect }: Variant, headers: Record<string, string>): RequestInit {
  const body = hasNoBody(method) ? null : BODY;
  return { method, body, headers: { ...distinguishing(dialect), ...headers } };
}

const PROVIDERS = Object.fromEntries(
  registry.dialects.map(({ type }) => [
    type,
    { type, base_url: `${HOST}/${type}`, keys: ["CENTRAL_KEY"], objects: { delete: "on" } },
  ]),
);

const open = ({ vars, ...setup }: Setup = {}): Promise<Gateway> =>
  openGateway({ ...setup, vars: { PROVIDERS, IDENTITY: [{ source: "keys" }], ...vars } });

/** A policy that denies every request and keeps a list of them. */
function denyingPolicy(): { readonly requests: PolicyRequest[]; readonly policy: Policy } {
  const requests: PolicyRequest[] = [];
  return { requests, policy: (request) => (requests.push(request), new Refusal("model_not_allowed")) };
}

const refusedWith = ({ response, events }: Exchange): readonly unknown[] => [
  response.status,
  response.headers.get("x-interceptor-error"),
  typesOf(events),
];

const OWNED = { ...AGENTS, "x-coder-owner-id": OWNER };

describe("D12 every registered route", () => {
  it("is one that the tests over sockets cover too", () => {
    expect(registry.dialects).toEqual(DIALECTS);
  });

  it("is Hono's route for health, for the records API under both prefixes, for the console, or for everything else", async () => {
    const app = createApp(createDeps(await configOf({ PROVIDERS })));
    expect(app.routes.map(({ method, path }) => [method, path])).toEqual([
      ["GET", "/healthz"],
      ["ALL", `/api/v2/:gateway{ai-gateway|aibridge}/:route{${API_ROUTES.join("|").replace(".", "\\.")}}/*`],
      ["ALL", "/console/*"],
      ["ALL", "/*"],
    ]);
  });

  it("is forwarded to the path in the table where the key is valid and no policy denies it", async () => {
    const gateway = await open({ provider: () => json("{}") });
    for (const variant of ALLOWED) {
      const before = gateway.sent.length;
      await gateway.exchange(variant.path, initOf(variant, CLIENT_KEY));
      const sent = gateway.sent.slice(before).map(({ method, url }) => [method, url]);
      expect([variant.path, sent]).toEqual([variant.path, [[variant.method, variant.upstream]]]);
    }
    expect(new Set(ALLOWED.map(({ route }) => route))).toEqual(
      new Set(registry.dialects.flatMap(({ routes }) => routes)),
    );
  });

  it("passes identity: where that rejects the credential, nothing is fetched and only the refusal is recorded", async () => {
    let identified = 0;
    const rejecting: ConfiguredSource = {
      verifies: true,
      recognizes: () => true,
      identify: () => ((identified += 1), Promise.resolve(new Refusal("invalid_credential"))),
    };
    const { requests, policy } = denyingPolicy();
    const gateway = await open({ sources: [rejecting], parts: { policies: [policy] } });
    for (const variant of ALLOWED) {
      const exchange = await gateway.exchange(variant.path, initOf(variant, OWNED));
      const refused = [401, "invalid_credential", ["refusal"]];
      expect([variant.path, ...refusedWith(exchange)]).toEqual([variant.path, ...refused]);
    }
    expect([identified, requests, gateway.sent]).toEqual([ALLOWED.length, [], []]);
  });

  it("passes identity also without any credential", async () => {
    const gateway = await open();
    for (const variant of ALLOWED) {
      const exchange = await gateway.exchange(variant.path, initOf(variant, {}));
      const refused = [401, "credential_missing", ["refusal"]];
      expect([variant.path, ...refusedWith(exchange)]).toEqual([variant.path, ...refused]);
    }
    expect(gateway.sent).toEqual([]);
  });

  it("passes initiator: a rejected owner is refused before policy runs, and nothing is fetched", async () => {
    const { requests, policy } = denyingPolicy();
    const vars = { OWNER_ASSERTION: { allow: "off", on_invalid: "reject" } };
    const gateway = await open({ vars, parts: { policies: [policy] } });
    for (const variant of ALLOWED) {
      const exchange = await gateway.exchange(variant.path, initOf(variant, OWNED));
      const refused = [400, "owner_rejected", ["initiator_override_rejected", "refusal"]];
      expect([variant.path, ...refusedWith(exchange)]).toEqual([variant.path, ...refused]);
    }
    expect([requests, gateway.sent]).toEqual([[], []]);
  });

  it("passes policy with the decided actor and initiator: where that denies it, nothing is fetched", async () => {
    const { requests, policy } = denyingPolicy();
    const gateway = await open({ parts: { policies: [policy] } });
    for (const variant of ALLOWED) {
      const { response } = await gateway.exchange(variant.path, initOf(variant, OWNED));
      expect([variant.path, response.status]).toEqual([variant.path, 403]);
    }
    const principals = requests.map(({ provider, actorId, initiatorId }) => [
      provider.name,
      actorId,
      initiatorId,
    ]);
    expect(principals).toEqual(ALLOWED.map(({ dialect }) => [dialect.type, "ci-bot", OWNER]));
    expect(gateway.sent).toEqual([]);
  });

  it("is not forwarded as a probe: the gateway responds itself, with any credential or none", async () => {
    const gateway = await open();
    expect(PROBES.length).toBeGreaterThan(0);
    for (const variant of PROBES) {
      for (const headers of [{}, CLIENT_KEY, { authorization: "Bearer aei_unknown" }]) {
        const { response, events } = await gateway.exchange(variant.path, initOf(variant, headers));
        expect([variant.path, response.status, events]).toEqual([variant.path, 200, []]);
      }
    }
    expect(gateway.sent).toEqual([]);
  });

  it("accepts only its own methods", async () => {
    const gateway = await open();
    for (const variant of VARIANTS.filter((one) => !ALLOWED.includes(one) && !PROBES.includes(one))) {
      const { response } = await gateway.exchange(variant.path, initOf(variant, CLIENT_KEY));
      expect([variant.method, variant.path, response.status]).toEqual([variant.method, variant.path, 405]);
    }
    expect(gateway.sent).toEqual([]);
  });
});

const ADMIN_TOKEN = "CANARY-admin-token-0123456789";
const ADMIN = { authorization: `Bearer ${ADMIN_TOKEN}` };

/** Every endpoint's path, a path below each, and one below each API route that no endpoint has. */
const API_PATHS = [
  ...new Set(
    [...ENDPOINTS.map(({ path }) => path.replace(/\{.*\}/, "one")), ...API_ROUTES.map((route) => `/${route}`)]
      .flatMap((path) => [path, `${path}/no/such`])
      .flatMap((path) => ROUTE_PREFIXES.map((prefix) => prefix + path)),
  ),
];

/** The one route that takes a caller's own credential (budgets-api.test.ts). */
const ADMIN_PATHS = API_PATHS.filter((path) => !path.endsWith("/me/spend"));

const typesIn = (lines: readonly string[]): string[] =>
  lines.map((line) => (JSON.parse(line) as { record_type: string }).record_type);

describe("D12 every route of the records API", () => {
  const identified: string[] = [];
  const source: ConfiguredSource = {
    verifies: true,
    recognizes: () => true,
    identify: () => (identified.push("identity"), Promise.resolve(actor())),
  };
  let gateway: Gateway;
  /** The records Worker's refusal events, which it prints itself. */
  let printed: string[];

  beforeEach(async () => {
    identified.length = 0;
    printed = [];
    vi.spyOn(console, "log").mockImplementation((line: string) => void printed.push(line));
    // The harness recognizes the id of a response by these digits (E10).
    vi.spyOn(crypto, "randomUUID").mockReturnValue("01234567-89ab-4abc-8def-0123456789ab");
    const records = createRecords({
      database: null,
      archive: null,
      budgetObjects: null,
      retention: retain(60),
      ...consoleOff(await sha256Hex(ADMIN_TOKEN)),
      deadLetterQueue: null,
      eventMac: { keys: [], acceptsMissing: false },
      seals: null,
    });
    gateway = await open({ sources: [source], parts: { records } });
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });

  // The attack: a caller with a good key of its own reads the records, or maps the rules by explain.
  it.each(ADMIN_PATHS)(
    "%s is the admin's alone, by any method: any other caller gets 401, and no source identifies it",
    async (path) => {
      for (const method of METHODS) {
        printed.length = 0;
        const init = { method, headers: OWNED, body: hasNoBody(method) ? null : "{}" };
        const { response, events } = await gateway.exchange(path, init);
        const refused = [response.status, response.headers.get("x-interceptor-error")];
        expect([method, ...refused]).toEqual([method, 401, "admin_only"]);
        // One event, of the Worker that refused.
        expect([...typesOf(events), ...typesIn(printed)]).toEqual(["refusal"]);
      }
      expect([identified, gateway.sent]).toEqual([[], []]);
    },
  );

  it.each(ADMIN_PATHS)("%s fetches no provider for the admin either", async (path) => {
    for (const method of METHODS) {
      const init = { method, headers: ADMIN, body: hasNoBody(method) ? null : "{}" };
      const { events } = await gateway.exchange(path, init);
      expect(typesOf(events).filter((type) => type !== "refusal")).toEqual([]);
    }
    expect([identified, gateway.sent]).toEqual([[], []]);
  });

  it.each(API_PATHS)("%s is not served without a records Worker", async (path) => {
    const alone = await open({ sources: [source] });
    for (const method of METHODS) {
      const init = { method, headers: ADMIN, body: hasNoBody(method) ? null : "{}" };
      const exchange = await alone.exchange(path, init);
      expect([method, ...refusedWith(exchange)]).toEqual([method, 503, "records_unavailable", ["refusal"]]);
    }
    expect([identified, alone.sent]).toEqual([[], []]);
  });
});
