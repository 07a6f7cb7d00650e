import { describe, expect, it } from "vitest";
import { CANARY, CLIENT_KEYS, issuesOf, provider, read, type Vars } from "./read-config.ts";

const SECRET = `${CANARY}~8Q.0123456789abcdefghijklmnop`;
const ENTRA = {
  tenant_id: "contoso.onmicrosoft.com",
  client_id: "0b1c2d3e-4f50-4617-8a9b-0c1d2e3f4a5b",
  client_secret: "ENTRA_SECRET",
};
const withEntra = (entra: unknown, more: Vars = {}, settings: Vars = {}): Vars => ({
  ...provider({ entra, ...settings }),
  IDENTITY: [{ source: "keys" }],
  CLIENT_KEYS,
  ENTRA_SECRET: SECRET,
  ...more,
});

describe("J2 the setting entra", () => {
  it("is read with its defaults, and its secret is one of those that no response may contain", () => {
    const { providers, secrets } = read(withEntra(ENTRA));
    expect(providers.get("openai")?.keys).toEqual([
      {
        kind: "entra",
        tenantId: ENTRA.tenant_id,
        clientId: ENTRA.client_id,
        clientSecret: SECRET,
        scope: "https://ai.azure.com/.default",
        authority: "https://login.microsoftonline.com",
      },
    ]);
    expect(secrets).toContainEqual({ name: "ENTRA_SECRET", value: SECRET });
  });

  it("has another scope and authority where they are set", () => {
    const scope = "https://cognitiveservices.azure.com/.default";
    const entra = { ...ENTRA, scope, authority: "https://login.microsoftonline.us/" };
    expect(read(withEntra(entra)).providers.get("openai")?.keys).toMatchObject([
      { scope, authority: "https://login.microsoftonline.us" },
    ]);
  });

  it.each<readonly [string, unknown, string]>([
    ["a text", "ENTRA_SECRET", "PROVIDERS.openai.entra must be a table or a JSON object"],
    ["no tenant", { ...ENTRA, tenant_id: undefined }, "PROVIDERS.openai.entra.tenant_id is required"],
    [
      "a tenant that leaves its segment",
      { ...ENTRA, tenant_id: "a/../b" },
      "PROVIDERS.openai.entra.tenant_id must match",
    ],
    ["a tenant of dots", { ...ENTRA, tenant_id: ".." }, "PROVIDERS.openai.entra.tenant_id must"],
    ["a client's name", { ...ENTRA, client_id: "gateway" }, "PROVIDERS.openai.entra.client_id must match"],
    [
      "a secret in place of its name",
      { ...ENTRA, client_secret: SECRET },
      "PROVIDERS.openai.entra.client_secret must be the name",
    ],
    ["two scopes", { ...ENTRA, scope: "a b" }, "PROVIDERS.openai.entra.scope must match"],
    [
      "an authority without TLS",
      { ...ENTRA, authority: "http://login.example" },
      "PROVIDERS.openai.entra.authority must be https",
    ],
    ["an unknown key", { ...ENTRA, tenant: "x" }, "PROVIDERS.openai.entra.tenant is not a known key"],
  ])("rejects %s", (_, entra, issue) => {
    expect(issuesOf(withEntra(entra))).toEqual([expect.stringContaining(issue)]);
  });

  it("rejects a secret that is missing, and keys beside it", () => {
    expect(issuesOf(withEntra(ENTRA, { ENTRA_SECRET: undefined }))).toEqual([
      "ENTRA_SECRET is required: the configuration names it as a secret",
    ]);
    expect(issuesOf(withEntra(ENTRA, { OPENAI_KEY: "sk-0123456789" }, { keys: ["OPENAI_KEY"] }))).toEqual([
      "PROVIDERS.openai.entra must not be set beside keys",
    ]);
  });

  it("rejects byok alone: any caller could spend the application's tokens", () => {
    expect(issuesOf({ ...provider({ entra: ENTRA }), ENTRA_SECRET: SECRET })).toEqual([
      expect.stringMatching(/^PROVIDERS\.openai\.entra requires an IDENTITY source that verifies callers/),
    ]);
  });

  it("rejects a client secret that also signs owners: its holder could name any owner", () => {
    const OWNER_ASSERTION = { signature: "accept", signing_keys: ["ENTRA_SECRET"] };
    expect(issuesOf(withEntra(ENTRA, { OWNER_ASSERTION }))).toContain(
      "PROVIDERS must not use a secret of OWNER_ASSERTION.signing_keys",
    );
  });
});

const azure = (settings: Vars): Vars => ({ PROVIDERS: { azure: settings } });

describe("J2 the preset azure", () => {
  it("needs the resource's name, and has the address of its v1 and dated routes", () => {
    const one = read(azure({ resource: "contoso-eu" })).providers.get("azure");
    expect([one?.dialect.type, one?.baseUrl, one?.keyHeader]).toEqual([
      "azure",
      "https://contoso-eu.openai.azure.com/openai",
      null,
    ]);
    expect(issuesOf(azure({}))).toEqual(["PROVIDERS.azure.resource is required"]);
    expect(issuesOf(azure({ resource: "evil.example/" }))).toEqual([
      expect.stringContaining("PROVIDERS.azure.resource must match"),
    ]);
  });

  it("rejects a base URL that ends in /v1, with which its routes begin", () => {
    expect(issuesOf(azure({ base_url: "https://c.openai.azure.com/openai/v1" }))).toEqual([
      "PROVIDERS.azure.base_url must not end in /v1: this dialect's routes begin with it",
    ]);
  });
});
