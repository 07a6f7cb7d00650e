/** The answers under `test/fixtures` as Node reads them: `answer.sse` or `answer.json`, and what is to be read in it. */
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { AnswerReader, AnswerReport, Keep } from "../src/gateway/provider/response-reader.ts";
import { messagesAnswer } from "../src/gateway/provider/anthropic/messages-response.ts";
import { chatAnswer } from "../src/gateway/provider/openai/chat-response.ts";
import { responsesAnswer } from "../src/gateway/provider/openai/responses-response.ts";

export const APIS = ["chat", "responses", "messages"] as const;
export type ApiName = (typeof APIS)[number];

export const READERS: Readonly<Record<ApiName, (keep: Keep) => AnswerReader>> = {
  chat: chatAnswer,
  responses: responsesAnswer,
  messages: messagesAnswer,
};

export type Fixture = {
  /** `<api>/<case>`. */
  readonly name: string;
  readonly api: ApiName;
  readonly kind: "events" | "json";
  readonly text: string;
  /** With all content kept. */
  readonly report: AnswerReport;
};

const ROOT = join(import.meta.dirname, "..", "test", "fixtures");

function load(api: ApiName, name: string): Fixture {
  const at = (file: string): string => join(ROOT, api, name, file);
  const kind = existsSync(at("answer.sse")) ? "events" : "json";
  return {
    name: `${api}/${name}`,
    api,
    kind,
    text: readFileSync(at(kind === "events" ? "answer.sse" : "answer.json"), "utf8"),
    report: JSON.parse(readFileSync(at("report.json"), "utf8")) as AnswerReport,
  };
}

export const FIXTURES: readonly Fixture[] = APIS.flatMap((api) =>
  readdirSync(join(ROOT, api))
    .toSorted()
    .map((name) => load(api, name)),
);

/** Longer ones take most of the time there is and show no more: drawn twice in a thousand times. */
export const LONG = 16 * 1024;
