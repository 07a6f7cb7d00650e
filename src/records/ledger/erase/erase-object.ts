/** Erases persons in one object of the archive. Its name is a hash of its content, so the erased one has another name. */
import { eraseIn, type OpenErasure } from "./erasures.ts";
import { asObject, parseJson } from "../../../shared/json.ts";
import { createObject, gzip, nameOf } from "../write/archive.ts";

/** `left`: the object names the person, and cannot be rewritten. */
export type ObjectResult = "unconcerned" | "erased" | "left";

type Erasures = readonly Pick<OpenErasure, "rules">[];

export async function eraseObject(archive: R2Bucket, key: string, erasures: Erasures): Promise<ObjectResult> {
  const object = await archive.get(key);
  if (!object) return "unconcerned";
  const isEvents = key.endsWith(".gz");
  const text = await (isEvents ? gunzip(object.body) : object.text());
  const erased = isEvents ? eraseLines(text, erasures) : eraseMessage(text, erasures);
  if (erased === null) return "left";
  if (erased === text) return "unconcerned";
  const folder = key.slice(0, key.lastIndexOf("/"));
  const name = await nameOf(erased);
  if (isEvents)
    await createObject(archive, `${folder}/${name}.ndjson.gz`, await gzip(erased), "application/gzip");
  else await createObject(archive, `${folder}/${name}.json`, erased, "application/json");
  // Afterwards: an interruption in between leaves both, and the next pass finds the old one.
  await archive.delete(key);
  return "erased";
}

const gunzip = (body: ReadableStream): Promise<string> =>
  new Response(body.pipeThrough(new DecompressionStream("gzip"))).text();

/** null where a line cannot be read and names the person. */
function eraseLines(text: string, erasures: Erasures): string | null {
  const lines = text.split("\n").map((line) => {
    if (line === "") return line;
    const event = asObject(parseJson(line));
    if (event === null) return isNamedIn(line, erasures) ? null : line;
    const erased = eraseIn(event, erasures);
    return erased === event ? line : JSON.stringify(erased);
  });
  return lines.includes(null) ? null : lines.join("\n");
}

/** A queue message, unmodified. An erased one has no MAC: that of the original no longer fits. */
function eraseMessage(text: string, erasures: Erasures): string | null {
  const value = parseJson(text);
  const message = asObject(value);
  const events: unknown = message ? message["events"] : value;
  if (!Array.isArray(events)) return isNamedIn(text, erasures) ? null : text;
  const list = events as readonly unknown[];
  const erased = list.map((event) => eraseIn(event, erasures));
  if (erased.every((event, at) => event === list[at])) return text;
  if (!message) return JSON.stringify(erased);
  const { mac: _, ...rest } = message;
  return JSON.stringify({ ...rest, events: erased });
}

/** Digests find no part of a text, so each word of it is compared. */
const isNamedIn = (text: string, erasures: Erasures): boolean =>
  text.split(/["\\\s,]+/).some((word) => erasures.some(({ rules: { person } }) => person.isNamed(word)));
