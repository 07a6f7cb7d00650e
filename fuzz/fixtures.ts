/** The answers under `test/fixtures` as Node reads them: `response.sse` or `response.json`, and what is to be read in it. */
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type {
  ResponseReader,
  ResponseReport,
  ContentOptions,
} from "../src/gateway/provider/response-reader.ts";
import { messagesReader } from "../src/gateway/provider/anthropic/messages-response.ts";
import { chatReader } from "../src/gateway/provider/openai/chat-response.ts";
import { responsesReader } from "../src/gateway/provider/openai/responses-response.ts";

export const APIS = ["chat", "responses", "messages"] as const;
export type ApiName = (typeof APIS)[number];

export const READERS: Readonly<Record<ApiName, (keep: ContentOptions) => ResponseReader>> = {
  chat: chatReader,
  responses: responsesReader,
  messages: messagesReader,
};

export type Fixture = {
  /** `<api>/<case>`. */
  readonly name: string;
  readonly api: ApiName;
  readonly kind: "events" | "json";
  readonly text: string;
  /** With all content kept. */
  readonly report: ResponseReport;
};

const ROOT = join(import.meta.dirname, "..", "test", "fixtures");

function load(api: ApiName, name: string): Fixture {
  const at = (file: string): string => join(ROOT, api, name, file);
  const kind = existsSync(at("response.sse")) ? "events" : "json";
  return {
    name: `${api}/${name}`,
    api,
    kind,
    text: readFileSync(at(kind === "events" ? "response.sse" : "response.json"), "utf8"),
    report: JSON.parse(readFileSync(at("report.json"), "utf8")) as ResponseReport,
  };
}

export const FIXTURES: readonly Fixture[] = APIS.flatMap((api) =>
  readdirSync(join(ROOT, api))
    .toSorted()
    .map((name) => load(api, name)),
);

/** Longer ones take most of the time there is and show no more: drawn twice in a thousand times. */
export const LONG = 16 * 1024;
