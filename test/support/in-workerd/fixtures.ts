/**
 * The fixtures under `test/fixtures/<api>/<case>/`. `response.sse` or `response.json` is a response as a provider sent it;
 * `report.json` is the expected report with all content kept. A new case is two files.
 */
import type { BodyKind } from "../../../src/shared/http/body-headers.ts";
import type {
  ResponseReader,
  ResponseReport,
  ContentOptions,
} from "../../../src/gateway/provider/response-reader.ts";
import { messagesReader } from "../../../src/gateway/provider/anthropic/messages-response.ts";
import { chatReader } from "../../../src/gateway/provider/openai/chat-response.ts";
import { responsesReader } from "../../../src/gateway/provider/openai/responses-response.ts";
import { utf8 } from "./values.ts";

export type Fixture = {
  /** `<api>/<case>`. */
  readonly name: string;
  readonly kind: BodyKind;
  readonly text: string;
  readonly bytes: Uint8Array;
  readonly report: ResponseReport;
  /** Creates a reader, by default one that keeps all content. */
  readonly reader: (keep?: ContentOptions) => ResponseReader;
};

export const KEEP_ALL: ContentOptions = { toolInputs: true, thoughts: true, errorMessages: true };
export const KEEP_NONE: ContentOptions = { toolInputs: false, thoughts: false, errorMessages: false };

const READERS: Readonly<Record<string, (keep: ContentOptions) => ResponseReader>> = {
  chat: chatReader,
  messages: messagesReader,
  responses: responsesReader,
};

const responses = import.meta.glob("../../fixtures/*/*/response.*", {
  query: "?raw",
  eager: true,
  import: "default",
});
const reports = import.meta.glob("../../fixtures/*/*/report.json", {
  query: "?raw",
  eager: true,
  import: "default",
});

export const fixtures: readonly Fixture[] = Object.entries(responses).map(([path, text]) => {
  const [, name = "", api = "", extension = ""] =
    /fixtures\/((\w+)\/[\w-]+)\/response\.(\w+)$/.exec(path) ?? [];
  const report = reports[path.replace(/response\.\w+$/, "report.json")];
  const reader = READERS[api];
  if (report === undefined || !reader) throw new Error(`fixture ${path} has no report or no reader`);
  return {
    name,
    kind: extension === "sse" ? "events" : "json",
    text,
    bytes: utf8(text),
    report: JSON.parse(report) as ResponseReport,
    reader: (keep = KEEP_ALL) => reader(keep),
  };
});

/** The default of `LIMITS.observe_bytes`. */
export const HELD_BYTES = { events: 2 * 1024 * 1024, json: 8 * 1024 * 1024 };

export const streams = fixtures.filter(({ kind }) => kind === "events");
export const chatStreams = streams.filter(({ name }) => name.startsWith("chat/"));

export function fixture(name: string): Fixture {
  const match = fixtures.find((candidate) => candidate.name === name);
  if (!match) throw new Error(`there is no fixture ${name}`);
  return match;
}
