/** The import rule, as text is held to it: the real sources in a test, and CONTRIBUTING.md's examples in another. */
import { COMPOSES, floorOf, GROUND, NAMES, PACKAGES } from "./floors.ts";
import { code, importsOf, resolve } from "./imports.ts";

/** Path under `src/` → its text. */
export type Sources = Readonly<Record<string, string>>;

/** Exports that are a concrete provider, identity source, policy, sink or API, by the contract they are typed with. */
export const CONCRETE =
  /^export (?:const \w+: (?:Dialect|IdentitySource|Policy|Sink)\b|function \w+\((?:[^()]|\([^()]*\))*\): (?:Sink|AdminApi)\b)/m;

/** A Durable Object's class: the entry has to export it, whichever floor it is of. */
const DURABLE = /^export class \w+ implements DurableObject\b/m;

/** Everything in the sources that breaks the rule, one line each. */
export function violations(sources: Sources): string[] {
  const found: string[] = [];
  for (const [path, text] of Object.entries(sources)) {
    const floor = floorOf(path);
    const rank = NAMES.indexOf(floor);
    if (rank < 0) found.push(`${path} stands on no known floor`);
    if (/(?:^|\/)(?:utils?|helpers?|common|misc|lib)(?:\/|\.ts$|-)/.test(path))
      found.push(`${path} is named for nothing`);
    if (path.includes("/") && path.endsWith("/index.ts")) found.push(`${path} is a barrel`);
    if (/\benv\b|\bEnv\b/.test(code(text)) && floor !== "index" && path !== "config.ts")
      found.push(`${path} speaks of env`);
    for (const { from, isType, exports } of importsOf(text)) {
      if (exports) found.push(`${path} re-exports from ${from}`);
      if (!from.startsWith(".")) {
        if (!PACKAGES[floor]?.includes(from)) found.push(`${path} imports ${from}`);
        continue;
      }
      const target = resolve(path, from);
      if (sources[target] === undefined) found.push(`${path} imports ${from}, which is not there`);
      const toFloor = floorOf(target);
      const toRank = NAMES.indexOf(toFloor);
      if (toFloor === floor) continue;
      if (toRank > rank) found.push(`${path} imports ${target}, a later floor`);
      else if (floor === "index" && DURABLE.test(sources[target] ?? "")) continue;
      else if (!isType && !GROUND.has(toFloor) && !COMPOSES[floor]?.(toFloor))
        found.push(`${path} imports a value of ${target}`);
      if (!isType && floor !== "wiring" && CONCRETE.test(sources[target] ?? ""))
        found.push(`${path} names ${target}, which is for wiring.ts`);
    }
  }
  return found;
}
