/** What `npm start` prints is true of the run that it is printed for. */
import { describe, expect, it } from "vitest";
import { chooseSetup, type Vars } from "../../tools/local/dev-vars.ts";
import { whatToTry } from "../../tools/local/what-to-try.ts";

const printed = (devVars: Vars): string =>
  whatToTry("http://127.0.0.1:8787", chooseSetup(devVars, "http://127.0.0.1:8788"));

describe("npm start tells", () => {
  it("that any key works on the emulated providers, and which keys the others want", () => {
    const text = printed({});
    expect(text).toContain("On openai and anthropic any key works");
    expect(text).toContain('OpenAI(base_url="http://127.0.0.1:8787/openai/v1", api_key="any-key")');
    expect(text).toContain("aei_local-alice-a-user-with-a-key-of-her-own-00");
  });

  it("a client key alone where .dev.vars takes nothing else", () => {
    const text = printed({ IDENTITY: '[{"source":"keys"}]' });
    expect(text).toContain("aei_local-alice-a-user-with-a-key-of-her-own-00");
    expect(text).toContain('api_key="aei_local-coder-agents-service-may-assert-owner"');
    expect(text).not.toMatch(/any.key|7\/openai|7\/anthropic/);
    expect(printed({ IDENTITY: '[{"source":"keys"}]', CLIENT_KEYS: "[]" })).not.toMatch(/any.key|aei_local/);
  });

  it("nothing of the sort where .dev.vars says who may call: then a credential, and where a central key is", () => {
    const text = printed({ IDENTITY: '[{"source":"coder","url":"http://127.0.0.1:8791"}]' });
    expect(text).toContain("IDENTITY of .dev.vars");
    expect(text).toContain('api_key="<credential>"');
    expect(text).toContain("ANTHROPIC_BASE_URL=http://127.0.0.1:8787/team-anthropic");
    expect(text).not.toMatch(/any.key|aei_local|7\/openai|7\/anthropic/);
  });
});
