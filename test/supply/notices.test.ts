import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { noticesText, storedNotices } from "../../tools/notices.ts";
import { releasedChangelog } from "../../tools/release.ts";
import { ROOT } from "../../tools/root.ts";

describe("the license", () => {
  it("is Apache-2.0 in package.json and in LICENSE", () => {
    const { license } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
      readonly license: string;
    };
    expect(license).toBe("Apache-2.0");
    expect(readFileSync(join(ROOT, "LICENSE"), "utf8")).toMatch(
      /^\s*Apache License\s+Version 2\.0, January 2004/,
    );
  });
});

describe("THIRD-PARTY-NOTICES.md", () => {
  it("is what npm run notices writes", () => {
    expect(storedNotices()).toBe(noticesText());
  });

  it("cannot be written for a package without a license file", () => {
    const modules = mkdtempSync(join(tmpdir(), "modules-"));
    onTestFinished(() => rmSync(modules, { recursive: true }));
    mkdirSync(join(modules, "unlicensed"));
    writeFileSync(join(modules, "unlicensed/package.json"), '{"version":"1.0.0","license":"MIT"}');
    expect(() => noticesText(["unlicensed"], modules)).toThrow("unlicensed has no license file");
  });
});

describe("a release", () => {
  const changelog =
    "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- A thing.\n\n## [0.1.0] - 2026-01-01\n\n- First.\n";

  it("moves the unreleased changes into a section of the version", () => {
    expect(releasedChangelog(changelog, "0.2.0", "2026-02-03")).toBe(
      "# Changelog\n\n## [Unreleased]\n\n## [0.2.0] - 2026-02-03\n\n### Added\n\n- A thing.\n\n## [0.1.0] - 2026-01-01\n\n- First.\n",
    );
  });

  it.each([
    ["without a section for unreleased changes", "# Changelog\n", "0.2.0", "must have one section"],
    [
      "with two sections for unreleased changes",
      `${changelog}${changelog}`,
      "0.2.0",
      "must have one section",
    ],
    ["of a version that exists", changelog, "0.1.0", "has a section 0.1.0 already"],
    [
      "without changes",
      "## [Unreleased]\n\n## [0.1.0] - 2026-01-01\n\n- First.\n",
      "0.2.0",
      "has nothing below",
    ],
  ])("fails %s", (_, text, version, message) => {
    expect(() => releasedChangelog(text, version, "2026-02-03")).toThrow(message);
  });

  it("finds the section in the changelog of this project", () => {
    const stored = readFileSync(join(ROOT, "CHANGELOG.md"), "utf8");
    expect(stored.match(/^## \[Unreleased\]$/gm)).toHaveLength(1);
  });
});
