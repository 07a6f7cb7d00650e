/**
 * The store of client keys, a KV namespace, through wrangler's own commands: SHA-256 of the key in hex → its entry in
 * JSON, as src/gateway/identity/client-key-store.ts reads it, with as much of the entry beside it as a list needs.
 */
import { stripVTControlCharacters } from "node:util";
import type { KeyEntry } from "../client-key.ts";
import { StartFailure } from "../local/start-failure.ts";
import { placeArgs, runWrangler } from "../local/wrangler.ts";

export type StorePlace = {
  /** The deployed one; else the one on this machine. */
  readonly remote: boolean;
  readonly binding: string;
  readonly config?: string | undefined;
  readonly persistTo?: string | undefined;
};

/** What a list shows of a key; null where the entry was put there without it. */
export type StoredKey = { readonly sha256: string; readonly about: About | null };

export type About = Omit<KeyEntry, "sha256"> & {
  /** When it was stored, ISO 8601. */
  readonly created: string;
};

export async function storeEntry(place: StorePlace, entry: KeyEntry, created: string): Promise<void> {
  const { sha256, ...about } = entry;
  const metadata = JSON.stringify({ ...about, created });
  await kv(place, ["put", sha256, JSON.stringify(entry), "--metadata", metadata, "--preview", "false"]);
}

export async function listEntries(place: StorePlace): Promise<readonly StoredKey[]> {
  const listed: unknown = parse(await kv(place, ["list"]));
  if (!Array.isArray(listed)) throw new StartFailure("What wrangler listed is no list of keys.");
  return listed.flatMap((one: { readonly name?: unknown; readonly metadata?: unknown }) => {
    const { name, metadata } = one;
    if (typeof name !== "string" || !/^[0-9a-f]{64}$/.test(name)) return [];
    return { sha256: name, about: isAbout(metadata) ? metadata : null };
  });
}

export async function removeEntry(place: StorePlace, sha256: string): Promise<void> {
  await kv(place, ["delete", sha256, "--preview", "false"]);
}

function isAbout(metadata: unknown): metadata is About {
  const { actor, kind, created } = (metadata ?? {}) as Readonly<Record<string, unknown>>;
  return [actor, kind, created].every((text) => typeof text === "string");
}

/** What wrangler printed; fails with what it lines, where it fails. */
async function kv(
  { remote, binding, config, persistTo }: StorePlace,
  [command = "", ...rest]: readonly string[],
): Promise<string> {
  const where = remote
    ? ["--remote", ...placeArgs({ config, persistTo: undefined })]
    : ["--local", ...placeArgs({ config, persistTo })];
  const args = ["kv", "key", command, ...rest, "--binding", binding, ...where];
  const { ok, stdout, lines } = await runWrangler(args, remote);
  if (ok) return stdout;
  const plain = lines.map(stripVTControlCharacters);
  const reason = plain.find((line) => line.includes("ERROR"))?.replace(/^.*\[ERROR\]\s*/, "");
  throw new StartFailure(
    `The store could not be used (is the KV namespace ${binding} bound in wrangler.toml?). ${reason ?? plain.join(" ")}`,
  );
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
