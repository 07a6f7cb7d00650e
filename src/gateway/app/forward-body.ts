/** A request body that is forwarded without being read as a model call: streamed, or held if it is small. */
import { SMALL_BYTES } from "../../shared/byte-budget.ts";
import { declaredLength } from "../../shared/http/body-headers.ts";
import { Refusal } from "../../shared/refusal.ts";
import { MAX_WITHHELD_BYTES } from "../provider/form/form-scanner.ts";
import type { UpstreamBody } from "../upstream/forward.ts";
import { openUpload, type Upload, type UploadFilter, type UploadOptions } from "../upstream/upload.ts";
import { requestCoding } from "./decode/coding.ts";
import type { Exchange } from "./exchange.ts";
import { readBody } from "./read-body.ts";
import { checkDeclaredLength, type RequestBody } from "./request-body.ts";

/** Gets the SHA-256 of the whole body, before the last of it is sent. */
export type OnSha256 = (sha256: string) => void;

/** The body as it is, unless it was read already; null if there is none. `onSha256`: null where it is not needed. */
export async function unreadBody(
  exchange: Exchange,
  requestBody: RequestBody,
  onSha256: OnSha256 | null,
): Promise<UpstreamBody | Refusal> {
  const { request } = exchange;
  if (request.body === null) return null;
  // A body of unknown length is read and counted first. A small one is held for a moment, which costs less than a stream.
  if (!requestBody.isRead() && isStreamed(exchange))
    return streamBody(exchange, request.body, { filter: null, onSha256 });
  const bytes = await heldBody(exchange, requestBody);
  if (onSha256 && !(bytes instanceof Refusal)) onSha256(await requestBody.hash(bytes));
  return bytes;
}

function heldBody(
  { request, deps, holding }: Exchange,
  requestBody: RequestBody,
): Promise<Uint8Array | Refusal> {
  if (requestBody.isRead()) return requestBody.take();
  return readBody(request, { ...deps.bodies, maxBytes: deps.config.limits.bodyBytes, holding });
}

/** The body as far as `filter` lets it pass: while it arrives, or all of it. */
export async function filteredBody(
  exchange: Exchange,
  requestBody: RequestBody,
  filter: UploadFilter,
  onSha256: OnSha256,
): Promise<UpstreamBody | Refusal> {
  const { request, deps, holding } = exchange;
  const isRead = requestBody.isRead() || requestCoding(request.headers) !== null || !isStreamed(exchange);
  if (isRead || request.body === null) {
    const bytes = await requestBody.take();
    if (bytes instanceof Refusal) return bytes;
    onSha256(await requestBody.hash(bytes));
    const pushed = filter.push(bytes);
    const rest = pushed instanceof Refusal ? pushed : await filter.end();
    return rest instanceof Refusal ? rest : bytes;
  }
  if (!deps.bodies.budget.resize(holding, MAX_WITHHELD_BYTES, deps.bodies.neededMs))
    return new Refusal("gateway_busy");
  return streamBody(exchange, request.body, { filter, onSha256 });
}

/** Whether a body is forwarded while it arrives. */
function isStreamed({ request, deps }: Exchange): boolean {
  const length = declaredLength(request.headers);
  return length !== null && length > Math.min(SMALL_BYTES, deps.config.limits.bodyBytes);
}

/** The body as an upload. Its length must be declared. */
function streamBody(
  { request, deps, waitUntil }: Exchange,
  body: ReadableStream<Uint8Array>,
  examined: Pick<UploadOptions, "filter" | "onSha256">,
): Upload | Refusal {
  const { uploadBytes, headersMs } = deps.config.limits;
  const tooLarge = checkDeclaredLength(request.headers, uploadBytes);
  if (tooLarge) return tooLarge;
  const length = declaredLength(request.headers) ?? 0;
  const { pace, now } = deps.bodies;
  const upload = openUpload(body, { length, pace, acceptMs: headersMs, now, ...examined });
  // A provider may respond before it has the whole body, and the rest of it goes on beside the response.
  waitUntil(upload.sent);
  return upload;
}
