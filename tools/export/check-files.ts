/** Reads the files of a bundle, and holds them against its manifest. */
import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { asObject, parseJson, parseObject } from "../../src/shared/json.ts";
import { BUNDLE, BUNDLE_VERSION, MANIFEST, sha256, type Manifest } from "./bundle.ts";
import type { AddIssue } from "./check.ts";

const NAMES = ["README.txt", "events.ndjson", "log.ndjson", "checkpoints.ndjson", "verifier-keys.txt"];

/** The texts by name. A file that is not UTF-8 is left out. */
export function readFiles(folder: string, add: AddIssue): Map<string, string> {
  const files = new Map<string, string>();
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  for (const name of readdirSync(folder).toSorted()) {
    const path = join(folder, name);
    if (!lstatSync(path).isFile()) {
      add(`${name}: it is not a file of a bundle.`);
      continue;
    }
    try {
      files.set(name, decoder.decode(readFileSync(path)));
    } catch {
      add(`${name}: it is not UTF-8.`);
    }
  }
  return files;
}

/** null where there is no manifest that can be read. */
export function readManifest(
  files: ReadonlyMap<string, string>,
  expected: string | null,
  add: AddIssue,
): Manifest | null {
  const text = files.get(MANIFEST);
  if (text === undefined) {
    add(`${MANIFEST}: it is missing.`);
    return null;
  }
  if (expected !== null && sha256(text) !== expected)
    add(`${MANIFEST}: its SHA-256 is not the expected one.`);
  const manifest = parseObject(text);
  const listed = asObject(manifest?.["files"]);
  if (!manifest || !listed || manifest["bundle"] !== BUNDLE || manifest["version"] !== BUNDLE_VERSION) {
    add(`${MANIFEST}: it is not a manifest of this version.`);
    return null;
  }
  for (const name of new Set([...NAMES, ...Object.keys(listed), ...files.keys()])) {
    if (name !== MANIFEST) checkFile(name, files.get(name), asObject(listed[name])?.["sha256"], add);
  }
  return manifest as unknown as Manifest;
}

function checkFile(name: string, text: string | undefined, listed: unknown, add: AddIssue): void {
  if (text === undefined) add(`${name}: it is missing.`);
  else if (listed === undefined) add(`${name}: the manifest does not list it.`);
  else if (sha256(text) !== listed) add(`${name}: its SHA-256 is not that in the manifest.`);
}

/** The lines that have the form of the file. */
export function readLines<T>(
  files: ReadonlyMap<string, string>,
  name: string,
  read: (value: unknown) => T | null,
  add: AddIssue,
): T[] {
  const text = files.get(name) ?? "";
  if (text === "") return [];
  if (!text.endsWith("\n")) add(`${name}: its last line is not complete.`);
  return text
    .replace(/\n$/, "")
    .split("\n")
    .flatMap((line, at) => {
      const value = parseJson(line);
      // Only the exact form, which no repeated key has.
      const parsed = JSON.stringify(value) === line ? read(value) : null;
      if (parsed === null) add(`${name}, line ${at + 1}: it cannot be read.`);
      return parsed === null ? [] : [parsed];
    });
}
