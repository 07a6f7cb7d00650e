/** The gateway's production bundle in plain workerd, with a fake provider that responds to and keeps every request. */
import {
  startFakeUpstream,
  type FakeUpstream,
  type PlannedResponse,
  type UpstreamRequest,
} from "../test/support/fake-upstream.ts";
import { startInterceptor, type RunningInterceptor } from "../test/support/interceptor.ts";
import { body, head, json, type Step } from "../test/support/response-steps.ts";
import { CENTRAL_ANTHROPIC, CENTRAL_OPENAI, CLIENT_KEYS } from "./requests/canaries.ts";

export type Gateway = {
  readonly upstream: FakeUpstream;
  readonly interceptor: RunningInterceptor;
  /** Discards all requests and events. The provider then sends `response`, by default a small JSON body. */
  clear(response?: PlannedResponse): void;
  /** Replaces a workerd process that crashed or hangs. */
  restart(): Promise<void>;
  close(): Promise<void>;
};

/** Holds the fields that the readers of all APIs read. */
const RESPONSE = {
  id: "response-1",
  model: "gpt-4o-2024-08-06",
  choices: [{ index: 0, message: { role: "assistant", content: "At dusk." }, finish_reason: "stop" }],
  usage: { prompt_tokens: 12, completion_tokens: 3, input_tokens: 12, output_tokens: 3 },
};

const jsonSteps = json(200, RESPONSE);
const emptySteps: readonly Step[] = [
  head({ headers: [["Content-Length", "0"]], framing: "content-length" }),
  body(""),
];
const defaultResponse = ({ method }: UpstreamRequest): readonly Step[] =>
  method === "HEAD" ? emptySteps : jsonSteps;

/** Small, so that a body over the limit is quick to send. */
const BODY_BYTES = 64 * 1024;

export async function startGateway(): Promise<Gateway> {
  const upstream = await startFakeUpstream();
  const baseUrl = (path: string): string => `${upstream.url}/${path}`;
  const options = {
    vars: {
      PROVIDERS: {
        openai: { type: "openai", base_url: baseUrl("central-openai/v1"), keys: ["OPENAI_KEY"] },
        anthropic: { type: "anthropic", base_url: baseUrl("central-anthropic"), keys: ["ANTHROPIC_KEY"] },
        "own-openai": { type: "openai", base_url: baseUrl("own-openai/v1") },
      },
      IDENTITY: [{ source: "keys" }, { source: "byok" }],
      LIMITS: { body_bytes: BODY_BYTES },
    },
    secrets: { OPENAI_KEY: CENTRAL_OPENAI, ANTHROPIC_KEY: CENTRAL_ANTHROPIC, CLIENT_KEYS },
  };
  const interceptor = await startInterceptor(options);
  return {
    upstream,
    interceptor,
    clear: (response = defaultResponse) => {
      interceptor.clear();
      upstream.clear();
      upstream.respondWith(response);
    },
    restart: () => interceptor.update(options),
    close: async () => {
      await interceptor.close();
      await upstream.close();
    },
  };
}
