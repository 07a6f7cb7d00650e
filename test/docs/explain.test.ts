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

const requestOf = (...args: readonly string[]): unknown => {
  const command = readArguments(args);
  return typeof command === "object" ? command.request : command;
};

describe("the arguments of npm run explain", () => {
  it("takes headers from the command line and from files, unchanged and in order", () => {
    const headers = file("headers", "Authorization: Bearer CANARY\r\nA:b:c\n\n");
    expect(requestOf("-H", "X-Y:  z ", "--header", `@${headers}`, "-H", "X-Y: w")).toEqual({
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

  it("takes a body and sends only its SHA-256, its model, its size and its limit of output", () => {
    const body = '{"model":"gpt-5","max_tokens":9,"messages":["CANARY"]}';
    const sha256 = createHash("sha256").update(body).digest("hex");
    const request = requestOf("--body", file("body", body), "--path", "/x/v1/messages?a=1");
    expect(request).toMatchObject({
      path: "/x/v1/messages?a=1",
      body_sha256: sha256,
      model: "gpt-5",
      body_bytes: body.length,
      output_limit: 9,
    });
    expect(JSON.stringify(request)).not.toContain("CANARY");
    expect(requestOf("--body-sha256", sha256.toUpperCase())).toMatchObject({ body_sha256: sha256 });
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
  ])("rejects %j without repeating the argument, which may be a credential", (args) => {
    const sentence = readArguments(args);
    expect(sentence).toMatch(/^[^\n]+\.$/);
    expect(sentence).not.toContain("CANARY");
  });

  it("returns undefined for --help", () => {
    expect(readArguments(["--help"])).toBeUndefined();
  });
});

const EXPLANATION: Explanation = {
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

describe("the output of npm run explain", () => {
  it("names the actor, the initiator, the decision and the other candidate", () => {
    const text = toText(EXPLANATION);
    for (const line of [
      "central (openai) /chat/completions, intercepted",
      'ci-bot "CI bot" (service), verified by keys',
      "owner-1",
      "rule any · signature off · directory –",
      "owner owner-1 accepted",
      "actor ci-bot not the initiator: overridden",
      "a central key, in authorization",
      "coder_agents_without_headers",
    ])
      expect(text).toContain(line);
  });

  it("names the refusal, and the input that is missing", () => {
    const refusal = { reason: "owner_rejected", status: 400, message: "No.", detail: "form" };
    const text = toText({ ...EXPLANATION, refusal, undecided: "signature", initiator: null });
    for (const line of ["400 owner_rejected", "detail for the operator: form", "--body-sha256"])
      expect(text).toContain(line);
  });

  it.each([
    ["api", "the records API: not forwarded"],
    ["base", "a base URL: the gateway responds itself"],
    ["not_found", "no route"],
  ])("describes a destination that is no provider: %s", (destination, line) => {
    const nothing = { route: null, client: null, presented: null, actor: null, initiator: null };
    const text = toText({ ...EXPLANATION, ...nothing, destination, candidates: [], upstream_key: null });
    expect(text).toContain(line);
  });

  // The attack: an actor's name is an issuer's text; `ESC [2J` in it would clear the auditor's screen.
  it("escapes a name that moves the terminal's cursor", () => {
    const name = "\u001b[2Jevil\u202E\n";
    const text = toText({ ...EXPLANATION, actor: { ...EXPLANATION.actor, name } });
    expect(text).toContain("evil");
    expect(text).not.toContain("\u001b[2J");
    expect(text).not.toContain("\u202E");
    expect(text.split("\n")).toHaveLength(toText(EXPLANATION).split("\n").length);
  });
});
