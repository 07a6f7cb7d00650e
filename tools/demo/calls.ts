/** The demonstration's clients: the official SDKs, with the headers of the clients that use them. */
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";

/** A client's base URL, its key, and the headers that identify it. */
export type Caller = {
  readonly baseURL: string;
  readonly key: string;
  readonly headers: Record<string, string>;
};

function openai({ baseURL, key, headers }: Caller): OpenAI {
  return new OpenAI({ baseURL, apiKey: key, defaultHeaders: headers, maxRetries: 0 });
}

/** The interception's id, which every response carries. */
function interceptionId({ headers }: { readonly headers: Headers }): string {
  const id = headers.get("x-interception-id");
  if (id === null) throw new Error("The response has no x-interception-id.");
  return id;
}

async function drain(stream: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of stream);
}

/** Like the calls below: reads the whole response and resolves with the interception's id. */
export async function chat(caller: Caller, prompt: string, model = "gpt-5.1"): Promise<string> {
  const messages = [{ role: "user" as const, content: prompt }];
  const { data, response } = await openai(caller)
    .chat.completions.create({ model, messages, stream: true, max_completion_tokens: 1000 })
    .withResponse();
  await drain(data);
  return interceptionId(response);
}

export async function respond(caller: Caller, input: string): Promise<string> {
  const { response } = await openai(caller).responses.create({ model: "gpt-5.1", input }).withResponse();
  return interceptionId(response);
}

export async function message(caller: Caller, prompt: string): Promise<string> {
  const client = new Anthropic({
    baseURL: caller.baseURL,
    apiKey: caller.key,
    defaultHeaders: caller.headers,
    maxRetries: 0,
  });
  const messages = [{ role: "user" as const, content: prompt }];
  const { data, response } = await client.messages
    .create({ model: "claude-sonnet-5", max_tokens: 1000, messages, stream: true })
    .withResponse();
  await drain(data);
  return interceptionId(response);
}

/** Disconnects after the first event of a long stream. */
export async function disconnect(caller: Caller, input: string): Promise<string> {
  const { data, response } = await openai(caller)
    .responses.create({ model: "fault-slow", input, stream: true })
    .withResponse();
  await data[Symbol.asyncIterator]().next();
  data.controller.abort();
  return interceptionId(response);
}

/** Resolves with the id of the refused interception; rejects if the request was not refused. */
export async function expectRefusal(caller: Caller, prompt: string, model?: string): Promise<string> {
  const error: unknown = await chat(caller, prompt, model).then(
    () => new Error("The request was not refused."),
    (caught: unknown) => caught,
  );
  if (error instanceof OpenAI.APIError && error.headers !== undefined)
    return interceptionId({ headers: error.headers });
  throw error;
}
