/** The ids that a body names, compared with those that a parser and a recursive reader find. */
import { describe, expect, it } from "vitest";
import { readJsonBody } from "../../../src/gateway/provider/json-body.ts";
import { JsonSource } from "../../../src/gateway/provider/json-source.ts";
import { KnownKeys } from "../../../src/gateway/provider/known-keys.ts";
import { namedObjects } from "../../../src/gateway/provider/object-ids.ts";
import { Refusal } from "../../../src/shared/refusal.ts";
import { between, forSeeds, seededRandom } from "../../support/rechunk.ts";
import { utf8 } from "../../support/in-workerd/values.ts";

const REFERENCES = new Set(
  "file_id file_ids conversation container previous_response_id vector_store_ids".split(" "),
);
const KEYS = [...REFERENCES, "id", "type", "input", "metadata", "content", "file-id", 'a"b', "é"];

type Random = () => number;
const pick = (random: Random, from: readonly string[]): string =>
  from[between(random, 0, from.length - 1)] ?? "";
const list = <T>(random: Random, make: () => T): T[] => Array.from({ length: between(random, 0, 3) }, make);

let made = 0;
function value(random: Random, depth: number): unknown {
  const kind = depth > 5 ? 0 : between(random, 0, 4);
  if (kind === 1) return list(random, () => value(random, depth + 1));
  if (kind >= 3) return object(random, depth + 1);
  const scalars = [null, `id ${(made += 1)}`, `é"\\\n${made}`, `[{"file_id":"${made}"}]`, made];
  return scalars[between(random, 0, scalars.length - 1)];
}
const object = (random: Random, depth = 0): object =>
  Object.fromEntries(list(random, () => [pick(random, KEYS), value(random, depth)] as const));

/** By recursion over the parsed value. */
function expected(
  node: unknown,
  isNamed: boolean,
  depth: number,
  toolArguments: string,
  found: Set<string>,
): void {
  if (Array.isArray(node)) {
    for (const one of node) expected(one, isNamed, depth + 1, toolArguments, found);
  } else if (typeof node === "object" && node !== null) {
    for (const [key, one] of Object.entries(node)) {
      if (key === (depth === 0 ? "metadata" : toolArguments)) continue;
      const isReference = REFERENCES.has(key) || (isNamed && key === "id");
      expected(one, isReference, depth + 1, toolArguments, found);
    }
  } else if (isNamed && node !== null) found.add(String(node));
}

describe("Finding M6: the ids that a body names", () => {
  it.each(["", "input"])(
    "are those that a parser finds, in random bodies (tool arguments: %j)",
    (toolArguments) => {
      forSeeds(3000, (seed) => {
        const random = seededRandom(seed);
        const body = object(random);
        const text = JSON.stringify(body, null, between(random, 0, 2));
        const found = new Set<string>();
        expected(body, false, 0, toolArguments, found);
        const keys = new KnownKeys(toolArguments === "" ? [] : [toolArguments]);
        expect([text, ...namedObjects(new JsonSource(utf8(text)).trust(), keys)]).toEqual([text, ...found]);
      });
    },
  );

  it("are found at the deepest level, and many of them in linear time", () => {
    const deep = `{"a":${"[".repeat(200)}{"file_ids":["deep"]}${"]".repeat(200)}}`;
    const nested = `${'{"file_ids":['.repeat(120)}"x"${"]}".repeat(120)}`;
    const long = `{"a":[${'{"file_id":"one"},'.repeat(100_000)}"\\u0022"]}`;
    for (const [text, ids] of [
      [deep, ["deep"]],
      [nested, ["x"]],
      [long, ["one"]],
    ] as const) {
      expect(readJsonBody(new JsonSource(utf8(text)), new KnownKeys([]))).not.toBeInstanceOf(Refusal);
      expect([...namedObjects(new JsonSource(utf8(text)).trust())]).toEqual(ids);
    }
  });
});
