/** Wrangler's commands as a deployment runs them. */
import { stripVTControlCharacters } from "node:util";
import { asObject, type JsonObject } from "../../src/shared/json.ts";
import { StartFailure } from "../local/start-failure.ts";
import type { WranglerRun } from "../local/wrangler.ts";
import { adviceFor } from "./failure.ts";

/** Runs wrangler in the project's folder. Tests pass their own. */
export type RunWrangler = (args: readonly string[]) => Promise<WranglerRun>;

/** Wrangler's output without colors and empty lines, indented under the line of its step. */
export const outputOf = ({ lines }: WranglerRun): string =>
  lines
    .map((line) => stripVTControlCharacters(line).trimEnd())
    .filter((line) => line !== "")
    .map((line) => `    ${line}\n`)
    .join("");

/** The command as a person would type it. */
export const commandLine = (args: readonly string[]): string => `npx wrangler ${args.join(" ")}`;

/**
 * Runs a command that prints a JSON array and changes nothing.
 * @returns the array; null where wrangler fails with a text that matches `absent`.
 * @throws StartFailure with wrangler's output where it fails otherwise.
 */
export async function readList(
  run: RunWrangler,
  args: readonly string[],
  absent?: RegExp,
): Promise<readonly Readonly<Record<string, unknown>>[] | null> {
  const result = await run(args);
  if (result.ok) {
    const list = parseArray(result.stdout);
    if (list !== null) return list;
    throw unreadable(args, "printed no JSON array", result);
  }
  if (absent?.test(outputOf(result))) return null;
  throw unreadable(args, "failed", result);
}

/**
 * Runs a command that prints a JSON object and changes nothing.
 * @param read the parts of the object that are needed; null where it lacks one.
 * @throws StartFailure with wrangler's output where it fails, or prints no such object.
 */
export async function readObject<T>(
  run: RunWrangler,
  args: readonly string[],
  read: (object: JsonObject) => T | null,
): Promise<T> {
  const result = await run(args);
  if (!result.ok) throw unreadable(args, "failed", result);
  const object = asObject(parseFrom(result.stdout, /^\{/m));
  const parts = object && read(object);
  if (!parts) throw unreadable(args, "did not print the expected JSON object", result);
  return parts;
}

function unreadable(args: readonly string[], how: string, result: WranglerRun): StartFailure {
  const failure = `The account cannot be read, and nothing was deployed: \`${commandLine(args)}\` ${how}.`;
  const output = outputOf(result);
  return new StartFailure(`${failure}\n${output}${adviceFor(output) ?? ""}`.trimEnd());
}

function parseArray(stdout: string): readonly Readonly<Record<string, unknown>>[] | null {
  const value = parseFrom(stdout, /^\[/m);
  return Array.isArray(value) ? value : null;
}

/** Wrangler may print notices before the value. null: there is none. */
function parseFrom(stdout: string, beginning: RegExp): unknown {
  const start = stdout.search(beginning);
  try {
    return JSON.parse(start < 0 ? "" : stdout.slice(start));
  } catch {
    return null;
  }
}
