import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { BUILT_IN_PATTERNS } from "../../src/events/redaction.ts";
import { scan } from "../../tools/secrets.ts";
import { findSecrets } from "../../tools/supply/secrets.ts";

/** Random texts, never used as secrets. They are split because the scan reads this file too. */
const SECRETS: Readonly<Record<string, string>> = {
  provider_key: `sk-${"proj-Tq7Rz1Lm9Xc4Vb6Nk2"}`,
  bearer: `Bearer ${"q8Zt5Rk1Wm7Yb3Xc9Ld2"}`,
  jwt: `${"eyJhbGciOiJFUzI1NiJ9"}.${"eyJzdWIiOiJhIn0"}.${"c2lnbmVk"}`,
  private_key: `-----BEGIN ${"EC PRIVATE KEY"}-----\nMHcCAQ\n-----END ${"EC PRIVATE KEY"}-----`,
  service_token: `npm_${"q8Zt5Rk1Wm7Yb3Xc9Ld2q8Zt5Rk1Wm7Yb3Xc"}`,
  coder_token: `q8Zt5Rk1Wm-${"7Yb3Xc9Ld2Tq7Rz1Lm9Xc4"}`,
  url_password: `postgres://app:${"7Yb3Xc9Ld2"}@db.example/app`,
  basic: `Basic ${"YWxpY2U6cGFzc3dvcmQ3"}`,
  secret: `client_secret=${"7Yb3Xc9Ld2Tq7Rz1Lm9Xc4"}`,
};

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "scanned-"));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

describe("secrets in the repository", () => {
  it("are only those made up for tests", () => {
    const { files, findings } = scan();
    expect(findings).toEqual([]);
    expect(files).toBeGreaterThan(500);
  });

  it("have the kinds that are redacted from records", () => {
    expect(new Set(Object.keys(SECRETS))).toEqual(new Set(BUILT_IN_PATTERNS.map(({ kind }) => kind)));
  });

  it.each(Object.entries(SECRETS))("finds a %s by its line, without its value", (kind, secret) => {
    const findings = findSecrets("src/a.ts", `// one\nconst a = "${secret}";\n`);
    expect(findings).toMatchObject([{ file: "src/a.ts", line: 2, kind }]);
    expect(JSON.stringify(findings)).not.toContain(secret.slice(8, 16));
  });

  it("are allowed in tests only", () => {
    const key = `const key = "sk-own-${"canary"}-5e1f0a7c9b3d2e64";`;
    expect(findSecrets("test/sockets/a.test.ts", key)).toEqual([]);
    for (const file of ["src/a.ts", "wrangler.toml", "docs/a.md", "tools/a.ts"])
      expect(findSecrets(file, key)).toHaveLength(1);
  });

  it("are found in untracked files, and not in files that git ignores", () => {
    const root = folder();
    execFileSync("git", ["init", "-q"], { cwd: root });
    writeFileSync(join(root, ".gitignore"), "ignored\n");
    writeFileSync(join(root, "new.txt"), SECRETS["provider_key"] ?? "");
    writeFileSync(join(root, "ignored"), SECRETS["provider_key"] ?? "");
    expect(scan(root)).toMatchObject({ files: 2, findings: [{ file: "new.txt", line: 1 }] });
  });

  it("are found without git, but not in installed or built files", async () => {
    const root = folder();
    for (const name of ["a/b", "node_modules/x", "dist", "reports"]) {
      await mkdir(join(root, name), { recursive: true });
      writeFileSync(join(root, name, "c.txt"), SECRETS["provider_key"] ?? "");
    }
    expect(scan(root)).toMatchObject({ files: 1, findings: [{ file: "a/b/c.txt", line: 1 }] });
  });
});
