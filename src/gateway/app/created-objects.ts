/**
 * The ids of the objects that a response names, read before the client gets any of it. A JSON body is held whole, and a
 * stream until its first event with an id: the rest of it flows natively.
 */
import { Collected, MAX_ERROR_BYTES } from "../../shared/bounded-read.ts";
import { abortAfter } from "../../shared/deadline.ts";
import { contentEncoding } from "../../shared/http/body-headers.ts";
import { asObject, parseObject } from "../../shared/json.ts";
import { Refusal } from "../../shared/refusal.ts";
import { sniffKind } from "../observation/body-kind.ts";
import { frameEvents } from "../observation/sse.ts";
import { parseRange, readJsonBody } from "../provider/json-body.ts";
import { JsonSource } from "../provider/json-source.ts";
import { KnownKeys } from "../provider/known-keys.ts";
import { inMemory } from "../upstream/key-leak.ts";
import { asName } from "../provider/usage.ts";

export type NamingResponse = {
  /** The values of the members, in their order; a response that cannot be read names none. */
  readonly ids: readonly string[];
  /** With all the bytes still to read. */
  readonly response: Response;
};

/** A larger body is passed on, as is a stream whose first event is larger: it repeats the client's instructions and tools. */
const MAX_HELD_BYTES = MAX_ERROR_BYTES;
/** The id as the first member of such a body, or of the response in such an event: no text of a client precedes it. */
const FIRST_ID =
  /^\s*(?:(?:event:.*\s+)?data:\s*\{[^{}]*"response"\s*:\s*)?\{\s*"id"\s*:\s*"([^"\\]{1,512})"/;
const FIRST_BYTES = 2048;

/** `names`: the members that hold ids. Rejects where the body breaks off, or pauses for `idleMs`. */
export async function readCreated(
  response: Response,
  names: readonly string[],
  abort: AbortController,
  idleMs: number,
): Promise<NamingResponse> {
  const { body, headers } = response;
  const encoding = contentEncoding(headers);
  if (body === null || encoding === "encoded") return { ids: [], response };
  const [passed, examined] = body.tee();
  const reader = examined.getReader();
  const head = createHead();
  while (head.isOpen()) {
    const deadline = abortAfter(idleMs, abort);
    const { done, value } = await reader.read().finally(deadline.clear);
    if (!done) {
      head.push(value);
      continue;
    }
    passed.cancel().catch(() => undefined);
    const bytes = head.bytes();
    const id = head.id();
    return {
      ids: id === null ? memberIds(bytes, names) : [id],
      response: inMemory(response, bytes, encoding),
    };
  }
  // The other branch has what was read.
  reader.cancel().catch(() => undefined);
  const id = head.id() ?? FIRST_ID.exec(new TextDecoder().decode(head.bytes().subarray(0, FIRST_BYTES)))?.[1];
  return { ids: id ? [id] : [], response: new Response(passed, response) };
}

/** The bytes so far, and the id in an event of theirs. */
function createHead() {
  const head = new Collected();
  let id: string | null = null;
  let start = "";
  let isEvents: boolean | null = null;
  const decoder = new TextDecoder();
  const framer = frameEvents((data) => {
    const event = parseObject(data);
    id ??= asName(asObject(event?.["response"])?.["id"]);
  });
  return {
    push(bytes: Uint8Array): void {
      head.add(bytes);
      if (isEvents === false) return;
      const text = decoder.decode(bytes, { stream: true });
      if (isEvents) return framer.push(text);
      start += text;
      const kind = sniffKind(start);
      if (kind === null) return;
      isEvents = kind === "events";
      if (isEvents) framer.push(start);
    },
    isOpen: () => id === null && head.size <= MAX_HELD_BYTES,
    id: () => id,
    bytes: () => head.bytes(),
  };
}

function memberIds(bytes: Uint8Array, names: readonly string[]): readonly string[] {
  const body = readJsonBody(new JsonSource(bytes), new KnownKeys(names));
  // No JSON, or one of the members twice.
  if (body instanceof Refusal) return [];
  return names.flatMap((name) => {
    const range = body.members.get(name);
    return asName(range && parseRange(body.source, range)) ?? [];
  });
}
