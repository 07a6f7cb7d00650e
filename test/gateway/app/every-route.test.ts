/**
 * D12: nothing reaches a provider but by way of identity, initiator and policy. The routes are those of the code's own
 * tables (`catalogue.dialects`, `ENDPOINTS`, what Hono has), so that a new one is tried as soon as it is there.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { ENDPOINTS } from "../../../src/records/api/endpoints.ts";
import { createApp } from "../../../src/gateway/app/app.ts";
import { ROUTE_PREFIXES } from "../../../src/shared/http/target.ts";
import type { ConfiguredSource } from "../../../src/gateway/identity/identity.ts";
import type { Policy, PolicyRequest } from "../../../src/gateway/policy/policy.ts";
import type { Dialect, DialectRoute } from "../../../src/gateway/provider/provider.ts";
import { methodsOf } from "../../../src/gateway/provider/route.ts";
import { Refusal } from "../../../src/shared/refusal.ts";
import { registry, createDeps } from "../../../src/gateway/wiring.ts";
import { DIALECTS } from "../../support/dialects.ts";
import { configOf, openGateway, type Gateway, type Setup } from "../../support/in-workerd/gateway-harness.ts";
import { AGENTS, BODY, CLIENT_KEY, json, typesOf } from "../../support/in-workerd/calls.ts";
import { actor, OWNER } from "../../support/in-workerd/values.ts";

/** One way to write one route, with one of its methods. */
type Way = {
  readonly dialect: Dialect;
  readonly route: DialectRoute;
  readonly method: string;
  readonly path: string;
  readonly upstream: string;
};

const EVERY = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "QUERY"];
const HOST = "https://central.example";

const WAYS: readonly Way[] = registry.dialects.flatMap((dialect) =>
  dialect.routes.flatMap((route) =>
    pathsOf(route).flatMap((path) =>
      ["", ...ROUTE_PREFIXES]
        .flatMap((prefix) => [`${prefix}/${dialect.type}`, prefix])
        .flatMap((base) =>
          EVERY.map((method) => ({
            dialect,
            route,
            method,
            path: `${base}${dialect.mount}${path}`,
            upstream: `${HOST}/${dialect.type}${path}`,
          })),
        ),
    ),
  ),
);
const TAKEN = WAYS.filter(({ route, method }) => methodsOf(route).includes(method));

function pathsOf(route: DialectRoute): readonly string[] {
  if (route.path.endsWith("/*")) return [route.path.replace("*", "one/two")];
  return route.kind === "passthrough" && route.below ? [route.path, `${route.path}/one`] : [route.path];
}

/** By which a root path that several dialects have is known for this one's; one that tells nothing is the first. */
const telling = ({ distinguishingHeaders: [name] }: Dialect): Record<string, string> =>
  name ? { [name]: "2023-06-01" } : {};

function request({ method, dialect }: Way, headers: Record<string, string>): RequestInit {
  const body = method === "GET" || method === "HEAD" ? null : BODY;
  return { method, body, headers: { ...telling(dialect), ...headers } };
}

const named = registry.dialects.map(({ type }) => [
  type,
  { type, base_url: `${HOST}/${type}`, keys: ["CENTRAL_KEY"] },
]);
const VARS = { PROVIDERS: Object.fromEntries(named) };

const house = ({ vars, ...setup }: Setup = {}): Promise<Gateway> =>
  openGateway({ ...setup, vars: { ...VARS, IDENTITY: [{ source: "keys" }], ...vars } });

/** Lets nobody on, and remembers who was asked about. */
function refusingPolicy(): { readonly asked: PolicyRequest[]; readonly policy: Policy } {
  const asked: PolicyRequest[] = [];
  return { asked, policy: (one) => (asked.push(one), new Refusal("model_not_allowed")) };
}

const OWNED = { ...AGENTS, "x-coder-owner-id": OWNER };

describe("D12 every registered route", () => {
  it("is one that the tests over sockets try as well", () => {
    expect(registry.dialects).toEqual(DIALECTS);
  });

  it("is one of Hono's two: health, and everything else", async () => {
    const app = createApp(createDeps(await configOf(VARS)));
    expect(app.routes.map(({ method, path }) => [method, path])).toEqual([
      ["GET", "/healthz"],
      ["ALL", "/*"],
    ]);
  });

  it("is really a route: with a good key and nothing against it, it is forwarded, to the path in the table", async () => {
    const opened = await house({ provider: () => json("{}") });
    for (const way of TAKEN) {
      const before = opened.sent.length;
      await opened.exchange(way.path, request(way, CLIENT_KEY));
      const sent = opened.sent.slice(before).map(({ method, url }) => [method, url]);
      expect([way.path, sent]).toEqual([way.path, [[way.method, way.upstream]]]);
    }
    expect(new Set(TAKEN.map(({ route }) => route))).toEqual(
      new Set(registry.dialects.flatMap(({ routes }) => routes)),
    );
  });

  it("passes identity: where that refuses nothing is fetched, nor anything recorded but the refusal", async () => {
    let asked = 0;
    const nobody: ConfiguredSource = {
      verifies: true,
      recognizes: () => true,
      identify: () => ((asked += 1), new Refusal("invalid_credential")),
    };
    const { asked: judged, policy } = refusingPolicy();
    const closed = await house({ sources: [nobody], parts: { policies: [policy] } });
    for (const way of TAKEN) {
      const { response, events } = await closed.exchange(way.path, request(way, OWNED));
      const got = [response.status, response.headers.get("x-interceptor-error"), typesOf(events)];
      expect([way.path, ...got]).toEqual([way.path, 401, "invalid_credential", ["refusal"]]);
    }
    expect([asked, judged, closed.sent]).toEqual([TAKEN.length, [], []]);
  });

  it("passes identity also where there is no credential at all", async () => {
    const closed = await house();
    for (const way of TAKEN) {
      const { response } = await closed.exchange(way.path, request(way, {}));
      const got = [response.status, response.headers.get("x-interceptor-error")];
      expect([way.path, ...got]).toEqual([way.path, 401, "credential_missing"]);
    }
    expect(closed.sent).toEqual([]);
  });

  it("passes initiator: an owner that does not count is refused before policy is asked, and nothing is fetched", async () => {
    const { asked, policy } = refusingPolicy();
    const vars = { OWNER_ASSERTION: { allow: "off", on_invalid: "reject" } };
    const closed = await house({ vars, parts: { policies: [policy] } });
    for (const way of TAKEN) {
      const { response, events } = await closed.exchange(way.path, request(way, OWNED));
      const got = [response.status, response.headers.get("x-interceptor-error"), typesOf(events)];
      const both = ["initiator_override_rejected", "refusal"];
      expect([way.path, ...got]).toEqual([way.path, 400, "owner_rejected", both]);
    }
    expect([asked, closed.sent]).toEqual([[], []]);
  });

  it("passes policy, with the actor and the initiator that were found: where that refuses nothing is fetched", async () => {
    const { asked, policy } = refusingPolicy();
    const closed = await house({ parts: { policies: [policy] } });
    for (const way of TAKEN) {
      const { response } = await closed.exchange(way.path, request(way, OWNED));
      expect([way.path, response.status]).toEqual([way.path, 403]);
    }
    const who = asked.map(({ provider, actorId, initiatorId }) => [provider.name, actorId, initiatorId]);
    expect(who).toEqual(TAKEN.map(({ dialect }) => [dialect.type, "ci-bot", OWNER]));
    expect(closed.sent).toEqual([]);
  });

  it("takes no method but its own", async () => {
    const closed = await house();
    for (const way of WAYS.filter((one) => !TAKEN.includes(one))) {
      const { response } = await closed.exchange(way.path, request(way, CLIENT_KEY));
      expect([way.method, way.path, response.status]).toEqual([way.method, way.path, 405]);
    }
    expect(closed.sent).toEqual([]);
  });
});

describe("D12 every endpoint of the API", () => {
  let closed: Gateway;
  const asked: string[] = [];
  const curious: ConfiguredSource = {
    verifies: true,
    recognizes: () => true,
    identify: () => (asked.push("identity"), actor()),
  };
  beforeAll(async () => void (closed = await house({ sources: [curious] })));

  it.each(ENDPOINTS.map(({ path }) => path))(
    "%s is the admin's alone, by whatever method: a caller that may call asks nobody and gets nothing",
    async (path) => {
      for (const prefix of ROUTE_PREFIXES)
        for (const method of EVERY) {
          const init = { method, headers: OWNED, body: method === "GET" || method === "HEAD" ? null : "{}" };
          const { response, events } = await closed.exchange(
            `${prefix}${path.replace(/\{.*\}/, "one")}`,
            init,
          );
          const got = [response.status, response.headers.get("x-interceptor-error"), typesOf(events)];
          expect([method, ...got]).toEqual([method, 401, "admin_only", ["refusal"]]);
        }
      expect([asked, closed.sent]).toEqual([[], []]);
    },
  );
});
