/** One request out of lines, fields and a body, in any order. */
import { chance, pick, shuffled, type Random } from "../random.ts";
import { jsonBody } from "./body.ts";
import * as fields from "./fields.ts";
import { framed } from "./framing.ts";
import * as line from "./line.ts";

export function request(random: Random, who: readonly fields.Line[]): string {
  const plain = line.path(random);
  const posts = line.INTERCEPTED.includes(plain);
  const { lines, bytes } =
    posts || chance(random, 0.2) ? framed(random, jsonBody(random)) : { lines: [], bytes: "" };
  const target = chance(random, 0.25) ? line.target(random, plain) : plain;
  const first = `${line.method(random, posts ? "POST" : "GET")} ${target} ${line.version(random)}`;
  const owners = chance(random, 0.3) ? fields.owners(random) : [];
  const rest = shuffled(random, [...who, ...owners, ...fields.oddHeaders(random), ...lines]);
  return written(
    first,
    [...fields.hosts(random), ...rest],
    bytes,
    chance(random, 0.93) ? "\r\n" : pick(random, ["\n", "\r", "\r\n "]),
  );
}

/** A request as it stands on the wire. */
export function written(
  first: string,
  lines: readonly fields.Line[],
  body: string,
  lineEnd = "\r\n",
): string {
  return `${first}${lineEnd}${lines.map(([name, value]) => `${name}: ${value}${lineEnd}`).join("")}${lineEnd}${body}`;
}
