/**
 * The store of client keys in a KV namespace, through wrangler's commands. It maps the SHA-256 of a key in hex to its
 * entry in JSON, which src/gateway/identity/client-key-store.ts reads. The metadata repeats the entry for `list`.
 */
import { stripVTControlCharacters } from "node:util";
import type { KeyEntry } from "../client-key.ts";
import { StartFailure } from "../local/start-failure.ts";
import { placeArgs, runWrangler } from "../local/wrangler.ts";

export type StoreLocation = {
  /** Whether it is the deployed store; otherwise the one on this machine. */
  readonly remote: boolean;
  readonly binding: string;
  readonly config: string;
  /** The name given to `--env`, whose configuration `config` is then. */
  readonly environment: string | null;
  readonly persistTo?: string | undefined;
};

/** A key as `list` shows it; `about` is null where the entry was stored without metadata. */
export type StoredKey = { readonly sha256: string; readonly about: About | null };

export type About = Omit<KeyEntry, "sha256"> & {
  /** When it was stored, ISO 8601. */
  readonly created: string;
};

export async function storeEntry(location: StoreLocation, entry: KeyEntry, created: string): Promise<void> {
  const { sha256, ...about } = entry;
  const metadata = JSON.stringify({ ...about, created });
  await kv(location, ["put", sha256, JSON.stringify(entry), "--metadata", metadata, "--preview", "false"]);
}

export async function listEntries(location: StoreLocation): Promise<readonly StoredKey[]> {
  const list: unknown = parse(await kv(location, ["list"]));
  if (!Array.isArray(list)) throw new StartFailure("Wrangler printed no list of keys.");
  return list.flatMap((item: { readonly name?: unknown; readonly metadata?: unknown }) => {
    const { name, metadata } = item;
    if (typeof name !== "string" || !/^[0-9a-f]{64}$/.test(name)) return [];
    return { sha256: name, about: isAbout(metadata) ? metadata : null };
  });
}

export async function removeEntry(location: StoreLocation, sha256: string): Promise<void> {
  await kv(location, ["delete", sha256, "--preview", "false"]);
}

function isAbout(metadata: unknown): metadata is About {
  const { actor, kind, created } = (metadata ?? {}) as Readonly<Record<string, unknown>>;
  return [actor, kind, created].every((text) => typeof text === "string");
}

/** The output of a `wrangler kv key` command. Rejects with a StartFailure that has its error message. */
async function kv(
  { remote, binding, config, persistTo }: StoreLocation,
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
    `The store failed (is the KV namespace ${binding} bound in wrangler.local.toml?). ${reason ?? plain.join(" ")}`,
  );
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
