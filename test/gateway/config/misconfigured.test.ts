import { createExecutionContext } from "cloudflare:test";
import { afterEach, describe, expect, it, vi } from "vitest";
import worker from "../../../src/gateway/index.ts";
import { CANARY, OPENAI } from "./read-config.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

describe("the gateway with an invalid config", () => {
  it("J1 responds with a generic 500, forwards nothing, and logs every wrong key for the operator only", async () => {
    const fetched = vi.spyOn(globalThis, "fetch");
    const logged = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const vars = {
      PROVIDERS: { openai: { ...OPENAI, base_url: `https://u:${CANARY}@h.example`, keys: ["OPENAI_KEY"] } },
      IDENTITY: [{ source: "keys" }],
      OPENAI_KEY: " ",
      CLIENT_KEYS: CANARY,
    };
    for (const path of ["/v1/chat/completions", "/openai/v1/models", "/healthz", "/nothing"]) {
      const request = new Request(`https://gateway.example${path}`, {
        headers: { authorization: `Bearer ${CANARY}` },
      });
      const response = await worker.fetch(request as never, vars, createExecutionContext());
      expect(response.status).toBe(500);
      expect(response.headers.get("x-interceptor-error")).toBe("misconfigured");
      expect(response.headers.get("x-should-retry")).toBe("false");
      expect(response.headers.get("x-interception-id")).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
      expect(await response.json()).toEqual({
        error: {
          message: "The gateway's configuration is not valid. Report it to the gateway's administrator.",
          type: "server_error",
          param: null,
          code: "misconfigured",
        },
      });
    }
    expect(fetched).not.toHaveBeenCalled();
    const lines = logged.mock.calls.flat().join("\n");
    for (const key of ["PROVIDERS.openai.base_url", "OPENAI_KEY", "CLIENT_KEYS"])
      expect(lines).toContain(key);
    expect(lines).not.toContain(CANARY);
  });
});
