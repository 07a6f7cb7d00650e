/** One request: a request line, header fields in random order, and a body. */
import { chance, pick, shuffled, type Random } from "../random.ts";
import { jsonBody } from "./body.ts";
import * as fields from "./fields.ts";
import { framed } from "./framing.ts";
import * as line from "./line.ts";

export function request(random: Random, credentials: readonly fields.Line[]): string {
  const plain = line.path(random);
  const posts = line.INTERCEPTED.includes(plain);
  const { lines, bytes } =
    posts || chance(random, 0.2) ? framed(random, jsonBody(random)) : { lines: [], bytes: "" };
  const target = chance(random, 0.25) ? line.target(random, plain) : plain;
  const first = `${line.method(random, posts ? "POST" : "GET")} ${target} ${line.version(random)}`;
  const owners = chance(random, 0.3) ? fields.owners(random) : [];
  const rest = shuffled(random, [...credentials, ...owners, ...fields.oddHeaders(random), ...lines]);
  return serialize({
    first,
    lines: [...fields.hosts(random), ...rest],
    body: bytes,
    lineEnd: chance(random, 0.93) ? "\r\n" : pick(random, ["\n", "\r", "\r\n "]),
  });
}

export type RawRequest = {
  /** The request line. */
  readonly first: string;
  readonly lines: readonly fields.Line[];
  readonly body: string;
  readonly lineEnd?: string;
};

/** The request as bytes. Each character is one byte. */
export function serialize({ first, lines, body, lineEnd = "\r\n" }: RawRequest): string {
  const head = lines.map(([name, value]) => `${name}: ${value}${lineEnd}`).join("");
  return `${first}${lineEnd}${head}${lineEnd}${body}`;
}
