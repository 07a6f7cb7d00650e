/** Loads the responses under `test/fixtures`: `response.sse` or `response.json`, and the report expected of each. */
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
  /** The report with all content kept. */
  readonly report: ResponseReport;
};

const ROOT = join(import.meta.dirname, "..", "test", "fixtures");

function load(api: ApiName, name: string): Fixture {
  const pathOf = (file: string): string => join(ROOT, api, name, file);
  const kind = existsSync(pathOf("response.sse")) ? "events" : "json";
  return {
    name: `${api}/${name}`,
    api,
    kind,
    text: readFileSync(pathOf(kind === "events" ? "response.sse" : "response.json"), "utf8"),
    report: JSON.parse(readFileSync(pathOf("report.json"), "utf8")) as ResponseReport,
  };
}

export const FIXTURES: readonly Fixture[] = APIS.flatMap((api) =>
  readdirSync(join(ROOT, api))
    .toSorted()
    .map((name) => load(api, name)),
);

/** Longer fixtures take most of the run time and add no coverage, so 0.2% of the cases may draw them. */
export const LONG = 16 * 1024;
