/** The production bundle in plain workerd before a provider that answers everything and keeps every request. */
import { body, head, json, type Step } from "../test/support/response-steps.ts";
import {
  startFakeUpstream,
  type PlannedResponse,
  type FakeUpstream,
  type UpstreamRequest,
} from "../test/support/fake-upstream.ts";
import { startInterceptor, type RunningInterceptor } from "../test/support/interceptor.ts";
import { CENTRAL_ANTHROPIC, CENTRAL_OPENAI, CLIENT_KEYS } from "./requests/cast.ts";

export type House = {
  readonly upstream: FakeUpstream;
  readonly interceptor: RunningInterceptor;
  /** Forgets everything so far; the provider answers all with a small JSON, or by `answer`. */
  clear(answer?: PlannedResponse): void;
  /** A new workerd in the place of one that has gone. */
  restart(): Promise<void>;
  close(): Promise<void>;
};

/** Fits every API, as far as it is read. */
const ANSWER = {
  id: "answer-1",
  model: "gpt-4o-2024-08-06",
  choices: [{ index: 0, message: { role: "assistant", content: "At dusk." }, finish_reason: "stop" }],
  usage: { prompt_tokens: 12, completion_tokens: 3, input_tokens: 12, output_tokens: 3 },
};

const steps = json(200, ANSWER);
const bodiless: readonly Step[] = [
  head({ headers: [["Content-Length", "0"]], framing: "content-length" }),
  body(""),
];
const answerTo = ({ method }: UpstreamRequest): readonly Step[] => (method === "HEAD" ? bodiless : steps);

/** Small, so that a body can be too large without taking long. */
export const BODY_BYTES = 64 * 1024;

export async function openHouse(): Promise<House> {
  const upstream = await startFakeUpstream();
  const at = (base: string): string => `${upstream.url}/${base}`;
  const options = {
    vars: {
      PROVIDERS: {
        openai: { type: "openai", base_url: at("central-openai/v1"), keys: ["OPENAI_KEY"] },
        anthropic: { type: "anthropic", base_url: at("central-anthropic"), keys: ["ANTHROPIC_KEY"] },
        "own-openai": { type: "openai", base_url: at("own-openai/v1") },
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
    clear: (answer = answerTo) => {
      interceptor.clear();
      upstream.clear();
      upstream.respondWith(answer);
    },
    restart: () => interceptor.update(options),
    close: async () => {
      await interceptor.close();
      await upstream.close();
    },
  };
}
