/** The import rule, applied to texts: the real sources in one test, CONTRIBUTING.md's examples in another. */
import { code, importsOf, resolve, type Import } from "./imports.ts";
import { COMMON, COMPOSES, layerOf, NAMES, PACKAGES } from "./layers.ts";

/** Path under `src/` → its text. */
export type Sources = Readonly<Record<string, string>>;

/** Exports that are a concrete dialect, identity source, policy or sink, by the contract that types them. */
export const CONCRETE =
  /^export (?:const \w+: (?:Dialect|IdentitySource|Policy)\b|function \w+\((?:[^()]|\([^()]*\))*\): (?:Sink|AwaitedSink)\b)/m;

/** A Durable Object's class: the entry has to export it, of whichever layer it is. */
const DURABLE = /^export class \w+ (?:implements|extends) DurableObject\b/m;

/** The files that read a Worker's environment. */
const ENVIRONMENT = /^(?:(?:gateway|records)\/(?:index|config\/config)|shared\/config\/environment)\.ts$/;

/** Every violation of the rule, one line each. */
export function violations(sources: Sources): string[] {
  return Object.entries(sources).flatMap(([path, text]) => [
    ...fileViolations(path, text),
    ...importsOf(text).flatMap((imported) => {
      const problem = importViolation(path, imported, sources);
      return problem === null ? [] : [`${path} ${problem}`];
    }),
  ]);
}

function fileViolations(path: string, text: string): string[] {
  const problems: string[] = [];
  if (!NAMES.includes(layerOf(path))) problems.push("is in no known layer");
  if (/(?:^|\/)(?:utils?|helpers?|common|misc|lib)(?:\/|\.ts$|-)/.test(path))
    problems.push("has a name that says nothing");
  if (path.split("/").length > 2 && path.endsWith("/index.ts")) problems.push("is a barrel");
  if (/\benv\b|\bEnv\b/.test(code(text)) && !ENVIRONMENT.test(path)) problems.push("reads env");
  return problems.map((problem) => `${path} ${problem}`);
}

function importViolation(
  path: string,
  { from, isType, isReexport }: Import,
  sources: Sources,
): string | null {
  const layer = layerOf(path);
  if (isReexport) return `re-exports from ${from}`;
  if (!from.startsWith(".")) return PACKAGES[layer]?.includes(from) ? null : `imports ${from}`;
  const target = resolve(path, from);
  const text = sources[target];
  if (text === undefined) return `imports ${from}, which does not exist`;
  if (!isType && layer !== "gateway/wiring" && CONCRETE.test(text) && layerOf(target) !== layer)
    return `names ${target}, which only wiring.ts may name`;
  return layerViolation(layer, target, isType || (layer.endsWith("/index") && DURABLE.test(text)));
}

function layerViolation(layer: string, target: string, isType: boolean): string | null {
  const other = layerOf(target);
  if (other === layer) return null;
  const [part, otherPart] = [layer.split("/")[0], other.split("/")[0]];
  if (!COMMON.has(other) && part !== otherPart) return `imports ${target}, of the other Worker`;
  if (NAMES.indexOf(other) > NAMES.indexOf(layer)) return `imports ${target}, a later layer`;
  if (isType || COMMON.has(other) || COMPOSES[layer]?.(other)) return null;
  return `imports a value of ${target}`;
}
