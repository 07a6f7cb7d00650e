import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { BUILT_IN_PATTERNS } from "../../src/events/redaction.ts";
import { scan } from "../../tools/secrets.ts";
import { findSecrets } from "../../tools/supply/secrets.ts";

/** Drawn for nothing; in pieces, as the scan reads this file too. */
const SECRETS: Readonly<Record<string, string>> = {
  provider_key: `sk-${"proj-Tq7Rz1Lm9Xc4Vb6Nk2"}`,
  bearer: `Bearer ${"q8Zt5Rk1Wm7Yb3Xc9Ld2"}`,
  jwt: `${"eyJhbGciOiJFUzI1NiJ9"}.${"eyJzdWIiOiJhIn0"}.${"c2lnbmVk"}`,
  private_key: `-----BEGIN ${"EC PRIVATE KEY"}-----\nMHcCAQ\n-----END ${"EC PRIVATE KEY"}-----`,
};

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "scanned-"));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

describe("secrets in the repository", () => {
  it("there are none but those made up for tests", () => {
    const { files, found } = scan();
    expect(found).toEqual([]);
    expect(files).toBeGreaterThan(500);
  });

  it("each kind that is taken out of a record is looked for", () => {
    expect(new Set(Object.keys(SECRETS))).toEqual(new Set(BUILT_IN_PATTERNS.map(({ kind }) => kind)));
  });

  it.each(Object.entries(SECRETS))("a %s is found, by line, and not repeated", (kind, secret) => {
    const found = findSecrets("src/a.ts", `// one\nconst a = "${secret}";\n`);
    expect(found).toMatchObject([{ file: "src/a.ts", line: 2, kind }]);
    expect(JSON.stringify(found)).not.toContain(secret.slice(8, 16));
  });

  it("what is allowed in a test is found anywhere else", () => {
    const key = `const key = "sk-own-${"canary"}-5e1f0a7c9b3d2e64";`;
    expect(findSecrets("test/sockets/a.test.ts", key)).toEqual([]);
    for (const file of ["src/a.ts", "wrangler.toml", "docs/a.md", "tools/a.ts"])
      expect(findSecrets(file, key)).toHaveLength(1);
  });

  it("are looked for in what git does not know yet, and not in what it ignores", () => {
    const root = folder();
    execFileSync("git", ["init", "-q"], { cwd: root });
    writeFileSync(join(root, ".gitignore"), "ignored\n");
    writeFileSync(join(root, "new.txt"), SECRETS["provider_key"] ?? "");
    writeFileSync(join(root, "ignored"), SECRETS["provider_key"] ?? "");
    expect(scan(root)).toMatchObject({ files: 2, found: [{ file: "new.txt", line: 1 }] });
  });

  it("are looked for where there is no git, but not in what is installed or built", async () => {
    const root = folder();
    for (const name of ["a/b", "node_modules/x", "dist"]) {
      await mkdir(join(root, name), { recursive: true });
      writeFileSync(join(root, name, "c.txt"), SECRETS["provider_key"] ?? "");
    }
    expect(scan(root)).toMatchObject({ files: 1, found: [{ file: "a/b/c.txt", line: 1 }] });
  });
});
