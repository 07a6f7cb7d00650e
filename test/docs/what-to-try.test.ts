/** The text that `npm start` prints matches the configuration of the run. */
import { describe, expect, it } from "vitest";
import { chooseSetup, type Vars } from "../../tools/local/dev-vars.ts";
import { localVerifierKey } from "../../tools/local/verifier-key.ts";
import { whatToTry } from "../../tools/local/what-to-try.ts";

const printed = (devVars: Vars): string =>
  whatToTry("http://127.0.0.1:8787", chooseSetup({ gateway: devVars, records: {} }, "http://127.0.0.1:8788"));

describe("the text that npm start prints", () => {
  it("offers any key for the emulated providers, and a client key for the others", () => {
    const text = printed({});
    expect(text).toContain("openai, anthropic and azure accept any key");
    expect(text).toContain('OpenAI(base_url="http://127.0.0.1:8787/openai/v1", api_key="any-key")');
    expect(text).toContain("aei_local-alice-a-user-with-a-key-of-her-own-00");
  });

  it("offers only a client key if .dev.vars accepts nothing else", () => {
    const text = printed({ IDENTITY: '[{"source":"keys"}]' });
    expect(text).toContain("aei_local-alice-a-user-with-a-key-of-her-own-00");
    expect(text).toContain('api_key="aei_local-coder-agents-service-may-assert-owner"');
    expect(text).not.toMatch(/any.key|7\/openai|7\/anthropic/);
    expect(printed({ IDENTITY: '[{"source":"keys"}]', CLIENT_KEYS: "[]" })).not.toMatch(/any.key|aei_local/);
  });

  it("offers a placeholder and a provider with a central key if .dev.vars sets IDENTITY", () => {
    const text = printed({ IDENTITY: '[{"source":"coder","url":"http://127.0.0.1:8791"}]' });
    expect(text).toContain("IDENTITY in .dev.vars");
    expect(text).toContain('api_key="<credential>"');
    expect(text).toContain("ANTHROPIC_BASE_URL=http://127.0.0.1:8787/team-anthropic");
    expect(text).not.toMatch(/any.key|aei_local|7\/openai|7\/anthropic/);
  });

  it("prints the verifier key where the run signs its log with the published key, and says what it is for", async () => {
    const setup = chooseSetup({ gateway: {}, records: {} }, "http://127.0.0.1:8788");
    const key = await localVerifierKey();
    const text = whatToTry("http://127.0.0.1:8787", setup, key);
    expect(text).toContain(`Verifier key, for the page Seals: with it, the browser checks`);
    expect(text).toContain(key);
    expect(printed({})).not.toContain("Verifier key");
  });
});
