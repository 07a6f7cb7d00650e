import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ROOT } from "../../tools/root.ts";

const FOLDER = join(ROOT, ".github/workflows");

/** File name → its text, without comment lines. */
const workflows = new Map(
  readdirSync(FOLDER).map((name) => [
    name,
    readFileSync(join(FOLDER, name), "utf8").replace(/^\s*#.*\n/gm, ""),
  ]),
);

/** The blocks of a workflow's jobs: the lines below each name, indented by four or more spaces. */
function jobsOf(text: string): Map<string, string> {
  const [, jobs = ""] = text.split(/^jobs:\n/m);
  return new Map(
    Array.from(jobs.matchAll(/^ {2}([\w-]+):\n((?:(?: {4}.*)?\n)+)/gm), ([, name = "", body = ""]) => [
      name,
      body,
    ]),
  );
}

const jobs = [...workflows].flatMap(([file, text]) =>
  [...jobsOf(text)].map(([job, body]) => [`${file}: ${job}`, body] as const),
);
const texts = [...workflows];

describe("the workflows", () => {
  it("have these jobs", () => {
    expect(jobs.map(([name]) => name).toSorted()).toEqual([
      "ci.yml: check",
      "ci.yml: dependency-review",
      "ci.yml: older-workerd",
      "codeql.yml: analyze",
      "supply.yml: audit",
      "supply.yml: sbom",
    ]);
  });

  it.each(texts)("%s pins actions by commit hash, with the version in a comment", (_, text) => {
    const uses = text.split("\n").filter((line) => /\buses:/.test(line));
    const pinned = /^\s+- uses: [\w-]+\/[\w-]+(?:\/[\w-]+)*@[0-9a-f]{40} # v\d+\.\d+\.\d+$/;
    expect(uses.length).toBeGreaterThan(0);
    expect(uses.filter((line) => !pinned.test(line))).toEqual([]);
  });

  it("pin each action to one version and one hash", () => {
    const pins = texts.flatMap(([, text]) =>
      Array.from(
        text.matchAll(/uses: ([\w-]+\/[\w-]+)\S*@(\w+ # \S+)/g),
        ([, action, pin]) => `${action} ${pin}`,
      ),
    );
    const actions = new Set(pins.map((pin) => pin.split(" ")[0]));
    expect(new Set(pins).size).toBe(actions.size);
  });

  it.each(texts)(
    "%s grants no default permissions, uses no secret, and never runs a fork's code with the repository's permissions",
    (_, text) => {
      expect(text).toMatch(/^permissions: \{\}$/m);
      expect(text).toMatch(/^concurrency:$/m);
      expect(text).not.toMatch(/\bsecrets\b|pull_request_target|workflow_run|self-hosted/);
    },
  );

  it.each(jobs)(
    "%s has a timeout and its own permissions, and does not persist credentials",
    (name, body) => {
      expect(body).toMatch(/^ {4}timeout-minutes: \d+$/m);
      const [, permissions = ""] = /^ {4}permissions:\n((?: {6}.*\n)+)/m.exec(body) ?? [];
      const granted = permissions.trim().split(/\n\s+/);
      expect(granted).toEqual(
        name === "codeql.yml: analyze" ? ["contents: read", "security-events: write"] : ["contents: read"],
      );
      const checkouts = body.match(/actions\/checkout@/g) ?? [];
      expect(body.match(/persist-credentials: false/g)).toHaveLength(checkouts.length);
    },
  );

  it.each(jobs)("%s puts no expression into a command", (_, body) => {
    const commands = body.split("\n").filter((line) => /^\s+(?:- )?run:/.test(line));
    expect(commands.filter((line) => line.includes("${{"))).toEqual([]);
    expect(body).not.toMatch(/run: [|>]/);
  });
});
