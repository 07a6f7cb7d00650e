/** The API where it stands: in the app, beside the providers' routes, wired as in production. */
import { beforeEach, describe, expect, it } from "vitest";
import { sha256Hex } from "../../../src/shared/digest.ts";
import { openGateway, type Gateway } from "../../support/in-workerd/gateway-harness.ts";
import { part } from "../../support/in-workerd/api-client.ts";
import { database, emptyLedger, insert, interception, T0 } from "../../support/in-workerd/api-rows.ts";

const TOKEN = "CANARY-admin-token-0123456789";
const admin = { headers: { authorization: `Bearer ${TOKEN}` } };

beforeEach(async () => {
  await emptyLedger();
  await insert("interceptions", [interception(T0, { client_session_id: "s" })]);
});

const house = async (vars: Record<string, unknown> = {}): Promise<Gateway> =>
  openGateway({ vars: { LEDGER: database, ADMIN_TOKEN: await sha256Hex(TOKEN), ...vars } });

describe("the API in the app", () => {
  it.each(["/api/v2/ai-gateway", "/api/v2/aibridge"])("answers the admin under %s", async (prefix) => {
    const { exchange: visit } = await house();
    const { response, text, events } = await visit(`${prefix}/sessions`, admin);
    expect(response.status).toBe(200);
    expect(part(JSON.parse(text), "sessions", 0, "id")).toBe("s");
    expect(response.headers.get("x-interception-id")).not.toBeNull();
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(events).toEqual([]);
  });

  it("refuses everybody else, and says so in an event that holds no token", async () => {
    const { exchange: visit } = await house();
    for (const headers of [{}, { authorization: "Bearer CANARY-other" }]) {
      const { response, text, events } = await visit("/api/v2/ai-gateway/usage", { headers });
      expect(response.status).toBe(401);
      expect(response.headers.get("x-interceptor-error")).toBe("admin_only");
      expect(Object.keys(JSON.parse(text) as object)).toEqual(["message"]);
      expect(events.map((event) => [event.record_type, part(event, "reason")])).toEqual([
        ["refusal", "admin_only"],
      ]);
    }
  });

  it("names a bad filter in Coder's form; no event has its value", async () => {
    const { exchange: visit } = await house();
    const { response, text, events } = await visit("/api/v2/aibridge/sessions?limit=CANARY", admin);
    expect(response.status).toBe(400);
    expect(part(JSON.parse(text), "validations", 0, "field")).toBe("limit");
    expect(events.map((event) => part(event, "reason"))).toEqual(["filter_invalid"]);
  });

  it("is nobody's where no token is set, and 503 where there is no ledger", async () => {
    const closed = await openGateway({ vars: { LEDGER: database } });
    expect((await closed.exchange("/api/v2/ai-gateway/usage", admin)).response.status).toBe(401);
    const without = await openGateway({ vars: { ADMIN_TOKEN: await sha256Hex(TOKEN) } });
    const { response } = await without.exchange("/api/v2/ai-gateway/usage", admin);
    expect([response.status, response.headers.get("x-interceptor-error")]).toEqual([
      503,
      "ledger_unavailable",
    ]);
  });

  it("answers a HEAD without a body", async () => {
    const { exchange: visit } = await house();
    const { response, bytes } = await visit("/api/v2/ai-gateway/usage", { ...admin, method: "HEAD" });
    expect([response.status, bytes.byteLength]).toEqual([200, 0]);
  });

  // The attack: the Host header, or an escape, makes a provider's route look like the API's, or the reverse.
  it("is found by the real path only", async () => {
    const { exchange: visit, sent } = await house();
    for (const path of [
      "/api/v2/ai-gateway/%73essions",
      "/api/v2/ai-gateway//sessions",
      "/api/v2/ai-gateway/x%2fsessions",
      "/sessions",
    ])
      expect([path, (await visit(path, admin)).response.status]).toEqual([path, 404]);
    expect(sent).toEqual([]);
  });
});
