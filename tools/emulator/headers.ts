/** The headers that the real providers put on every response. */
import { randomUUID } from "node:crypto";
import type { Dialect } from "./reply.ts";
import { freshId } from "./tokens.ts";

export type ResponseHeaders = {
  readonly requestId: string;
  readonly headers: Readonly<Record<string, string>>;
};

export function responseHeaders(dialect: Dialect, isAzure: boolean): ResponseHeaders {
  if (isAzure) return azureHeaders();
  return dialect === "anthropic" ? anthropicHeaders() : openAiHeaders();
}

function azureHeaders(): ResponseHeaders {
  const requestId = randomUUID();
  return {
    requestId,
    headers: {
      "apim-request-id": requestId,
      "x-request-id": randomUUID(),
      "x-ms-region": "Sweden Central",
      "x-ms-deployment-name": "emulated",
      "azureml-model-session": "d143-20261116",
      "x-ratelimit-limit-tokens": "2000000",
      "x-ratelimit-remaining-tokens": "1998800",
      "x-ratelimit-remaining-requests": "9999",
    },
  };
}

function openAiHeaders(): ResponseHeaders {
  const requestId = freshId("req_", 32);
  return {
    requestId,
    headers: {
      "x-request-id": requestId,
      "openai-organization": "org-emulated",
      "openai-processing-ms": "7",
      "openai-version": "2020-10-01",
      "x-ratelimit-limit-requests": "10000",
      "x-ratelimit-limit-tokens": "2000000",
      "x-ratelimit-remaining-requests": "9999",
      "x-ratelimit-remaining-tokens": "1998800",
      "x-ratelimit-reset-requests": "6ms",
      "x-ratelimit-reset-tokens": "36ms",
    },
  };
}

function anthropicHeaders(): ResponseHeaders {
  const requestId = freshId("req_01", 22);
  const inAMinute = new Date(Date.now() + 60_000).toISOString().replace(/\.\d+Z$/, "Z");
  const limits = {
    requests: ["4000", "3999"],
    "input-tokens": ["2000000", "1998000"],
    "output-tokens": ["400000", "399000"],
  };
  const rate = Object.entries(limits).flatMap(([name, [limit = "", remaining = ""]]) => [
    [`anthropic-ratelimit-${name}-limit`, limit],
    [`anthropic-ratelimit-${name}-remaining`, remaining],
    [`anthropic-ratelimit-${name}-reset`, inAMinute],
  ]);
  return {
    requestId,
    headers: {
      "request-id": requestId,
      "anthropic-organization-id": EMULATED_ORGANIZATION,
      ...Object.fromEntries(rate),
    },
  };
}

const EMULATED_ORGANIZATION = "00000000-0000-4000-8000-000000000000";
