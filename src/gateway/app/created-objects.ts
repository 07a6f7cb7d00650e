/**
 * The ids of the objects that a response names, read before the client gets any of it. A JSON body is held whole, and a
 * stream until its first event with an id: the rest of it flows natively.
 */
import { concat, MAX_ERROR_BYTES } from "../../shared/bounded-read.ts";
import { abortAfter } from "../../shared/deadline.ts";
import { contentEncoding } from "../../shared/http/body-headers.ts";
import { asObject, parseObject } from "../../shared/json.ts";
import { sniffKind } from "../observation/body-kind.ts";
import { frameEvents } from "../observation/sse.ts";
import { parseRange, type Range } from "../provider/json-body.ts";
import { scanObject } from "../provider/json-scan.ts";
import { KnownKeys } from "../provider/known-keys.ts";
import { inMemory } from "../upstream/key-leak.ts";
import { asName } from "../provider/usage.ts";

export type NamingResponse = {
  /** The values of the members, in their order; a response that cannot be read names none. */
  readonly ids: readonly string[];
  /** With all the bytes still to read. */
  readonly response: Response;
};

/** A larger body is passed on: its id is read if it is the first member. A stream's first event is far smaller. */
const MAX_HELD_BYTES = MAX_ERROR_BYTES;
const FIRST_ID = /^\s*\{\s*"id"\s*:\s*"([^"\\]{1,512})"/;

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
  const id = head.id();
  return { ids: id === null ? [] : [id], response: new Response(passed, response) };
}

/** The bytes so far, and the id that they have: that of a stream's event, or of a body that is too large to be held. */
function createHead() {
  const parts: Uint8Array[] = [];
  let size = 0;
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
      parts.push(bytes);
      size += bytes.byteLength;
      if (isEvents === false) return;
      const text = decoder.decode(bytes, { stream: true });
      if (isEvents) return framer.push(text);
      start += text;
      const kind = sniffKind(start);
      if (kind === null) return;
      isEvents = kind === "events";
      if (isEvents) framer.push(start);
    },
    isOpen: () => id === null && size <= MAX_HELD_BYTES,
    id: () => (size > MAX_HELD_BYTES && !isEvents ? (FIRST_ID.exec(start)?.[1] ?? null) : id),
    bytes: () => concat(parts, size),
  };
}

function memberIds(bytes: Uint8Array, names: readonly string[]): readonly string[] {
  const known = new KnownKeys(names);
  const found = new Map<string, Range>();
  const problem = scanObject(bytes, (key, from, to) => {
    const match = known.find(bytes, key);
    // Of a repeated member the last counts, as with `JSON.parse`.
    if (match?.isExact) found.set(match.name, { from, to });
  });
  if (problem !== null) return [];
  return names.flatMap((name) => {
    const range = found.get(name);
    return asName(range && parseRange(bytes, range)) ?? [];
  });
}
