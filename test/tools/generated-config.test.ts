import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { GATEWAY_CONFIG, writeGeneratedConfig } from "../../tools/deploy/generated-config.ts";

const directory = mkdtempSync(join(tmpdir(), "generated-"));
afterAll(() => rmSync(directory, { recursive: true }));

describe("the generated configuration", () => {
  const target = join(directory, "wrangler.generated.toml");

  it("has the records bindings, and leaves no other file", () => {
    writeGeneratedConfig(GATEWAY_CONFIG, target);
    expect(readFileSync(target, "utf8")).toMatch(/^binding = "RECORDS"$/m);
    expect(readdirSync(directory)).toEqual(["wrangler.generated.toml"]);
  });

  // A running `npm start` watches the file, and ended when another command rewrote it.
  it("is not written again while its text is the same", () => {
    const { ino, mtimeMs } = statSync(target);
    writeGeneratedConfig(GATEWAY_CONFIG, target);
    expect([statSync(target).ino, statSync(target).mtimeMs]).toEqual([ino, mtimeMs]);
  });
});
