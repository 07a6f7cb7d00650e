/** Request bodies: a large one, and a slow one. */
import { createHash, randomBytes } from "node:crypto";
import { bodyOf, type Outgoing } from "../client/http.ts";
import type { Context } from "../context.ts";
import type { Upload } from "../echo/protocol.ts";
import { asAssumed, define, differs, notMeasured, type Finding, type Measurement } from "../measurement.ts";
import type { Plan } from "../plan.ts";
import { duration, size } from "./text.ts";

const PIECE = 1024 * 1024;

export type UploadResult = {
  readonly status: number;
  readonly refusal: string | null;
  /** Null where the echo did not respond. */
  readonly upload: Upload | null;
  readonly sent: { readonly bytes: number; readonly sha256: string; readonly spreadMs: number };
  readonly afterMs: number;
};

export function assessUpload({ status, refusal, upload, sent, afterMs }: UploadResult): Finding {
  const measured = `status ${status}${refusal === null ? "" : ` (${refusal})`} after ${duration(afterMs)}`;
  if (status === 413 && refusal !== null)
    return notMeasured("LIMITS.upload_bytes of the gateway is lower: raise it for the probe", measured);
  if (status === 413)
    return differs(measured, "docs/deploy.md: the zone's limit on uploads is lower than 100 MB");
  if (upload === null)
    return differs(measured, `docs/limits.md: a body of ${size(sent.bytes)} does not arrive`);
  if (upload.sha256 !== sent.sha256) return differs(`${measured}; other bytes`, "a defect: file an issue");
  const arrived = `${measured}; equal bytes in ${upload.chunks} chunks over ${duration(upload.spreadMs)}`;
  return upload.spreadMs < sent.spreadMs / 2
    ? differs(
        arrived,
        "set the Configuration Rule `request_body_buffering: none` for the host (docs/deploy.md)",
      )
    : asAssumed(arrived);
}

async function sendUpload({ echo }: Context, body: NonNullable<Outgoing["body"]>): Promise<UploadResult> {
  const hash = createHash("sha256");
  for (const { bytes } of body) hash.update(bytes);
  const [, ...later] = body;
  const sent = {
    bytes: body.reduce((sum, { bytes }) => sum + bytes.byteLength, 0),
    sha256: hash.digest("hex"),
    spreadMs: later.reduce((sum, { delayMs }) => sum + delayMs, 0),
  };
  const headers = { "content-type": "application/octet-stream" };
  const received = await (await echo.open("upload", { route: "upload", body, headers })).received;
  const upload = received.status === 200 ? (JSON.parse(bodyOf(received).toString()) as Upload) : null;
  const refusal = received.headers["x-interceptor-error"] ?? null;
  return { status: received.status, refusal, upload, sent, afterMs: received.endedAt - received.startedAt };
}

const pieces = (total: number, each: number, delayMs: number): NonNullable<Outgoing["body"]> =>
  Array.from({ length: Math.ceil(total / each) }, () => ({ bytes: randomBytes(each), delayMs }));

export const uploads = ({
  upload: { largeBytes, slowBytes, slowPieces, slowGapMs },
}: Plan): readonly Measurement[] => [
  define<UploadResult>({
    question: `Does an upload of ${size(largeBytes)} arrive?`,
    assumed: "yes, below LIMITS.upload_bytes and the zone's 100 MB (docs of Cloudflare)",
    phase: "heavy",
    requests: 1,
    measure: (context) => sendUpload(context, pieces(largeBytes, PIECE, 0)),
    assess: assessUpload,
  }),
  define<UploadResult>({
    question: `Does a slow upload (${size(slowBytes)} over ${duration(slowPieces * slowGapMs)}) arrive while it is sent?`,
    assumed:
      "yes: the gateway forwards a body of declared length as it arrives (src/gateway/upstream/upload.ts)",
    phase: "slow",
    requests: 1,
    measure: (context) => sendUpload(context, pieces(slowBytes, slowBytes / slowPieces, slowGapMs)),
    assess: assessUpload,
  }),
];
