import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readArguments } from "../../tools/explain.ts";
import { toText, type Explanation } from "../../tools/explain/print.ts";

const folder = mkdtempSync(join(tmpdir(), "explain-"));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const described = (...args: readonly string[]): unknown => {
  const wanted = readArguments(args);
  return typeof wanted === "object" ? wanted.described : wanted;
};

describe("npm run explain reads", () => {
  it("headers from the command line and from files, as they stand, each as often as it is there", () => {
    const headers = file("headers", "Authorization: Bearer CANARY\r\nA:b:c\n\n");
    expect(described("-H", "X-Y:  z ", "--header", `@${headers}`, "-H", "X-Y: w")).toEqual({
      method: "POST",
      path: "/v1/chat/completions",
      headers: [
        ["X-Y", "z "],
        ["Authorization", "Bearer CANARY"],
        ["A", "b:c"],
        ["X-Y", "w"],
      ],
    });
  });

  it("a body, of which nothing but the SHA-256 is sent", () => {
    const body = '{"model":"CANARY"}';
    const sha256 = createHash("sha256").update(body).digest("hex");
    const wanted = described("--body", file("body", body), "--path", "/x/v1/messages?a=1");
    expect(wanted).toMatchObject({ path: "/x/v1/messages?a=1", body_sha256: sha256 });
    expect(JSON.stringify(wanted)).not.toContain("CANARY");
    expect(described("--body-sha256", sha256.toUpperCase())).toMatchObject({ body_sha256: sha256 });
  });

  it.each([
    [["--header", "Bearer CANARY"]],
    [["--header", "CANARY"]],
    [["Bearer CANARY"]],
    [["--path", "CANARY"]],
    [["--url", "CANARY"]],
    [["--header", "@/no/such/CANARY"]],
    [["--body", "/no/such/CANARY"]],
    [["--body", "a", "--body-sha256", "0".repeat(64)]],
    [["--body-sha256", "CANARY"]],
  ])("not what it cannot: %j, and repeats none of it, as it may be a credential", (args) => {
    const sentence = readArguments(args);
    expect(sentence).toMatch(/^[^\n]+\.$/);
    expect(sentence).not.toContain("CANARY");
  });

  it("help", () => {
    expect(readArguments(["--help"])).toBeUndefined();
  });
});

const ANSWER: Explanation = {
  destination: "provider",
  route: { provider: "central", provider_type: "openai", route: "/chat/completions", kind: "intercept" },
  client: "Coder Agents",
  presented: {
    identity: { header: "authorization", key_id: "2f9492882e36c476" },
    assertion: null,
    own: null,
  },
  delegation: "off",
  actor: {
    id: "ci-bot",
    kind: "service",
    name: "CI bot",
    source: "keys",
    verified: true,
    key_id: "2f9492882e36c476",
    may_assert: null,
  },
  initiator: { id: "owner-1", name: null, attribution: "asserted" },
  rule: "any",
  signature: "off",
  directory: null,
  candidates: [
    { who: "owner", id: "owner-1", rejection_reason: null },
    { who: "actor", id: "ci-bot", rejection_reason: "overridden" },
  ],
  undecided: null,
  upstream_key: { kind: "centralized", header: "authorization", key_id: null },
  flags: ["coder_agents_without_headers"],
  refusal: null,
};

describe("npm run explain prints", () => {
  it("who, for whom, why, and who lost", () => {
    const text = toText(ANSWER);
    for (const said of [
      "central (openai) /chat/completions, intercepted",
      'ci-bot "CI bot" (service), verified by keys',
      "owner-1",
      "rule any · signature off · directory –",
      "actor ci-bot lost: overridden",
      "one of the gateway's own",
      "coder_agents_without_headers",
    ])
      expect(text).toContain(said);
  });

  it("what is refused, and what is still to be known", () => {
    const refusal = { reason: "owner_rejected", status: 400, message: "No.", detail: "form" };
    const text = toText({ ...ANSWER, refusal, undecided: "signature", initiator: null });
    for (const said of ["400 owner_rejected", "the operator: form", "--body-sha256"])
      expect(text).toContain(said);
  });

  it("what leads to no provider", () => {
    const nothing = { route: null, client: null, presented: null, actor: null, initiator: null };
    const text = toText({ ...ANSWER, ...nothing, destination: "api", candidates: [], upstream_key: null });
    expect(text).toContain("no provider is asked");
  });

  // The attack: an actor's name is an issuer's text; `ESC [2J` in it would clear the auditor's screen.
  it("no name that moves the terminal's cursor", () => {
    const name = "\u001b[2Jevil\u202E\n";
    const text = toText({ ...ANSWER, actor: { ...ANSWER.actor, name } });
    expect(text).toContain("evil");
    expect(text).not.toContain("\u001b[2J");
    expect(text).not.toContain("\u202E");
    expect(text.split("\n")).toHaveLength(toText(ANSWER).split("\n").length);
  });
});
