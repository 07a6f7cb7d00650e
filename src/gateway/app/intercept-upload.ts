/**
 * A model call whose body is forwarded while it arrives: a multipart form, which names its model somewhere inside, or a
 * batch, which is too large to be held. The start of a form's call is recorded when its model is known, and before the
 * provider can have the whole form.
 */
import { Refusal } from "../../shared/refusal.ts";
import { readEndUser } from "../client/end-user.ts";
import { NO_CONVERSATION } from "../provider/conversation.ts";
import { createFormScanner } from "../provider/form/form-scanner.ts";
import { modelsOf, namedModels, type NamedModels } from "../provider/path-model.ts";
import { NO_FIGURES } from "../provider/request-figures.ts";
import type { UploadFilter } from "../upstream/upload.ts";
import { checkPolicies, clientDisconnected } from "./call-upstream.ts";
import type { Claimed } from "./call-usage.ts";
import type { UpstreamResult } from "./upstream-call.ts";
import { completeCall } from "./complete-call.ts";
import type { RequestDecision } from "./decide.ts";
import { refuse, type Exchange } from "./exchange.ts";
import { filteredBody, unreadBody } from "./forward-body.ts";
import { startInterception, type Interception } from "./interception.ts";
import { NO_PROMPT_HASHES } from "./prompt-hashes.ts";
import { callOwned, takeOwnBody } from "./object-owners.ts";
import type { RequestBody } from "./request-body.ts";
import { unreadOutgoing } from "./sent-body.ts";
import { createSpending, type Spending } from "./spending.ts";
import { toContext, type Intercepted } from "./start-call.ts";

/** The call of an upload: its start is recorded at most once. */
type Call = {
  readonly begin: (form: NamedModels) => Interception;
  /** null while the start is not recorded. */
  readonly begun: () => Interception | null;
  readonly spending: Spending | null;
  /** Notes the SHA-256 of the whole body. */
  readonly hasSha256: (sha256: string) => void;
};

/** `boundary`: that of the form; null for a body that is not examined. */
export async function interceptUpload(
  exchange: Exchange,
  decided: RequestDecision,
  intercepted: Intercepted,
  { body, boundary }: { readonly body: RequestBody; readonly boundary: string | null },
): Promise<Response> {
  const call = await prepareCall(exchange, decided, intercepted, body);
  const abort = new AbortController();
  try {
    const outgoing =
      boundary === null
        ? await openBatch(exchange, intercepted, call, body)
        : await filteredBody(
            exchange,
            body,
            formFilter(exchange, intercepted, call, boundary),
            call.hasSha256,
          );
    if (outgoing instanceof Refusal) return refuseCall(exchange, call, outgoing);
    const sent = unreadOutgoing(outgoing, body.decoded());
    const result = await callOwned(exchange, intercepted, sent, abort);
    return await finish(exchange, intercepted, call, { result, abort });
  } catch (error) {
    abort.abort();
    const interception = call.begun();
    if (interception) completeCall(exchange, interception, () => null, call.spending).failed();
    throw error;
  }
}

async function prepareCall(
  exchange: Exchange,
  decided: RequestDecision,
  intercepted: Intercepted,
  body: RequestBody,
): Promise<Call> {
  const { headers, recorder, deps } = exchange;
  const { redact, price, now, config, toRecordedEndUser } = deps;
  const named = readEndUser(headers, {});
  const endUser = named === null ? null : await toRecordedEndUser(named);
  const configVersion = await deps.configVersion;
  let interception: Interception | null = null;
  let sha256: string | null = null;
  return {
    spending: createSpending(exchange, intercepted),
    hasSha256: (whole) => (sha256 = whole),
    begun: () => interception,
    begin: ({ model }) => {
      const read = { model, stream: false, conversation: NO_CONVERSATION, encoding: body.decoded() };
      const context = toContext(exchange, decided, intercepted, read);
      return (interception ??= startInterception(
        recorder,
        {
          ...context,
          endUser,
          promptHashes: NO_PROMPT_HASHES,
          requestSha256: null,
          configVersion,
          uploadSha256: () => sha256,
        },
        { prompts: config.recording.prompts, redact, price, now },
      ));
    },
  };
}

/** Lets a form pass once its model is permitted, and its end once the start of the call is recorded. */
function formFilter(
  exchange: Exchange,
  intercepted: Intercepted,
  call: Call,
  boundary: string,
): UploadFilter {
  const named = (model: string | null): NamedModels => namedModels(intercepted.route.pathModel, model);
  const scanner = createFormScanner(boundary, (model) => {
    call.begin(named(model));
    for (const one of modelsOf(named(model))) {
      const refusal = checkPolicies(exchange, intercepted, one, true);
      if (refusal) return refusal;
    }
    return null;
  });
  return {
    push: scanner.push.bind(scanner),
    end: async () => {
      const rest = scanner.end();
      if (rest instanceof Refusal) return rest;
      const models = named(scanner.model());
      const isRecorded = await call.begin(models).started;
      if (!isRecorded) return new Refusal("recording_unavailable");
      return (await call.spending?.reserve(claimOfForm(models))) ?? rest;
    },
  };
}

/** A form is an image, or a recording, and a few texts. */
const claimOfForm = (form: NamedModels): Claimed => ({
  kind: "figures",
  figures: { ...NO_FIGURES, models: modelsOf(form), files: 1 },
  isStream: false,
});

const UNNAMED = namedModels(null, null);

/** A batch names its models inside a file, or once per request. */
async function openBatch(exchange: Exchange, intercepted: Intercepted, call: Call, body: RequestBody) {
  if (!(await call.begin(UNNAMED).started)) return new Refusal("recording_unavailable");
  const forbidden = checkPolicies(exchange, intercepted, null, true);
  if (forbidden) return forbidden;
  const refused = await call.spending?.reserve({ kind: "later" });
  if (refused) return refused;
  return intercepted.ownership === null
    ? unreadBody(exchange, body, call.hasSha256)
    : takeOwnBody(exchange, intercepted, body, { body: call.hasSha256 });
}

/** A form that is refused before its model is known runs no model. */
function refuseCall(exchange: Exchange, call: Call, refusal: Refusal): Response {
  const interception = call.begun();
  if (!interception) return refuse(exchange, refusal);
  return completeCall(exchange, interception, () => null, call.spending).refused(refusal);
}

async function finish(
  exchange: Exchange,
  intercepted: Intercepted,
  call: Call,
  { result, abort }: { readonly result: UpstreamResult; readonly abort: AbortController },
): Promise<Response> {
  const { response } = result;
  if (!call.begun() && !(response instanceof Response)) {
    if (response instanceof Refusal && response.status < 500) return refuse(exchange, response);
    if (!(response instanceof Refusal)) return clientDisconnected(exchange.id);
  }
  // A provider can respond before the model has arrived.
  const interception = call.begin(namedModels(intercepted.route.pathModel, null));
  const { finished, refused } = completeCall(exchange, interception, () => null, call.spending);
  if (await interception.started) return finished(result, intercepted, abort);
  abort.abort();
  return refused(new Refusal("recording_unavailable"));
}
