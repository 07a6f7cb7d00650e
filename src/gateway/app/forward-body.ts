/** A request body that is forwarded without being read as a model call: streamed, or held if it is small. */
import { SMALL_BYTES } from "../../shared/byte-budget.ts";
import { declaredLength } from "../../shared/http/body-headers.ts";
import { Refusal } from "../../shared/refusal.ts";
import { MAX_WITHHELD_BYTES } from "../provider/form/form-scanner.ts";
import type { UpstreamBody } from "../upstream/forward.ts";
import { openUpload, type Upload, type UploadFilter } from "../upstream/upload.ts";
import { requestCoding } from "./decode/coding.ts";
import type { Exchange } from "./exchange.ts";
import { readBody } from "./read-body.ts";
import { checkDeclaredLength, type RequestBody } from "./request-body.ts";

/** The body as it is, unless it was read already; null if there is none. */
export async function unreadBody(
  exchange: Exchange,
  requestBody: RequestBody,
): Promise<UpstreamBody | Refusal> {
  const { request, deps, holding } = exchange;
  if (request.body === null) return null;
  if (requestBody.isRead()) return requestBody.take();
  // A body of unknown length is read and counted first. A small one is held for a moment, which costs less than a stream.
  if (isStreamed(exchange)) return streamBody(exchange, request.body, null);
  return readBody(request, { ...deps.bodies, maxBytes: deps.config.limits.bodyBytes, holding });
}

/** The body as far as `filter` lets it pass: while it arrives, or all of it. */
export async function filteredBody(
  exchange: Exchange,
  requestBody: RequestBody,
  filter: UploadFilter,
): Promise<UpstreamBody | Refusal> {
  const { request, deps, holding } = exchange;
  const isRead = requestBody.isRead() || requestCoding(request.headers) !== null || !isStreamed(exchange);
  if (isRead || request.body === null) {
    const bytes = await requestBody.take();
    if (bytes instanceof Refusal) return bytes;
    const pushed = filter.push(bytes);
    const rest = pushed instanceof Refusal ? pushed : await filter.end();
    return rest instanceof Refusal ? rest : bytes;
  }
  if (!deps.bodies.budget.resize(holding, MAX_WITHHELD_BYTES, deps.bodies.neededMs))
    return new Refusal("gateway_busy");
  return streamBody(exchange, request.body, filter);
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
  filter: UploadFilter | null,
): Upload | Refusal {
  const { uploadBytes, headersMs } = deps.config.limits;
  const tooLarge = checkDeclaredLength(request.headers, uploadBytes);
  if (tooLarge) return tooLarge;
  const length = declaredLength(request.headers) ?? 0;
  const { pace, now } = deps.bodies;
  const upload = openUpload(body, { length, pace, acceptMs: headersMs, now, filter });
  // A provider may respond before it has the whole body, and the rest of it goes on beside the response.
  waitUntil(upload.sent);
  return upload;
}
