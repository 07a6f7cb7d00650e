/** Runs a deployment from edited copies of the project's configurations. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { deployWorkers, type DeployOptions } from "../../tools/deploy/deployment.ts";
import { sentenceOf } from "../../tools/local/start-failure.ts";
import { ROOT } from "../../tools/root.ts";
import type { FakeWrangler } from "./fake-wrangler.ts";

/** Replacements in the two configurations; each must match. */
export type Edits = { readonly gateway?: readonly Edit[]; readonly records?: readonly Edit[] };
export type Edit = readonly [find: string | RegExp, replacement: string];

/** The tables of all consumers in wrangler.records.toml. */
export const CONSUMERS = /\[\[queues\.consumers\]\][^]*?(?=\n# Object)/;

/** A folder with copies of the project's configurations, and with other files by name. */
export function folderWith(
  { gateway = [], records = [] }: Edits,
  others: Readonly<Record<string, string>> = {},
): string {
  const folder = mkdtempSync(join(tmpdir(), "deploy-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const [file, edits] of [
    ["wrangler.toml", gateway],
    ["wrangler.records.toml", records],
  ] as const) {
    const text = edits.reduce(
      (edited, [find, replacement]) => {
        const result = edited.replace(find, () => replacement);
        if (result === edited) throw new Error(`${file} does not contain ${find}`);
        return result;
      },
      readFileSync(join(ROOT, file), "utf8"),
    );
    writeFileSync(join(folder, file), text);
  }
  for (const [file, text] of Object.entries(others)) writeFileSync(join(folder, file), text);
  return folder;
}

/** Central keys, for which the client must be identified. */
export const CENTRAL_KEYS: readonly Edit[] = [
  ['type = "openai"\n', 'type = "openai"\nkeys = ["OPENAI_API_KEY", "OPENAI_API_KEY_2"]\n'],
  ["[vars.PROVIDERS.openai]", '[vars]\nIDENTITY = [{ source = "keys" }]\n[vars.PROVIDERS.openai]'],
];

export type Result = { readonly failure: string | null; readonly printed: string; readonly warnings: string };

export async function deployWith(
  wrangler: FakeWrangler,
  edits: Edits = {},
  options: Partial<DeployOptions> = {},
): Promise<Result> {
  let printed = "";
  let warnings = "";
  const failure = await deployWorkers(
    { dryRun: false, gatewayOnly: false, environment: null, ...options },
    {
      run: wrangler.run,
      print: (text) => void (printed += text),
      printError: (text) => void (warnings += text),
      folder: folderWith(edits),
    },
  ).then(
    () => null,
    (error: unknown) => sentenceOf(error),
  );
  return { failure, printed, warnings };
}
