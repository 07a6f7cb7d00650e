/** A wrangler configuration's own keys, without wrangler's defaults. */
import { basename } from "node:path";
import { experimental_readRawConfig } from "wrangler";
import { sentenceOf, StartFailure } from "../local/start-failure.ts";

export type RawConfig = {
  readonly [key: string]: unknown;
  readonly name?: string;
  readonly main?: string;
  readonly vars?: Readonly<Record<string, unknown>>;
  readonly assets?: { readonly [key: string]: unknown; readonly directory?: string };
  readonly services?: readonly object[];
  readonly queues?: { readonly [key: string]: unknown; readonly consumers?: readonly object[] };
  readonly d1_databases?: readonly { readonly [key: string]: unknown; readonly migrations_dir?: string }[];
};

/** @throws StartFailure with the line of a syntax error. The line's text is not quoted: it may hold a secret. */
export function readRawConfig(path: string): RawConfig {
  try {
    return experimental_readRawConfig({ config: path }).rawConfig as RawConfig;
  } catch (error) {
    const { location } = error as { readonly location?: { readonly line?: number } };
    const line = location?.line === undefined ? "" : ` (line ${location.line})`;
    throw new StartFailure(`${basename(path)} cannot be read${line}: ${sentenceOf(error)}`);
  }
}
