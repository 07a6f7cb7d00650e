/**
 * Two people behind one central key, with the provider's own SDK: what Alice stores, Bob cannot use, with
 * `objects.owners = "check"`. The store of owners is a Durable Object of the production bundle.
 */
import { createHash } from "node:crypto";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import OpenAI, { toFile } from "openai";
import { afterAll, describe, expect, it } from "vitest";
import { startInterceptor, type InterceptorOptions } from "../support/interceptor.ts";

/** A provider that stores objects for one account, and finds each by its id alone. */
const objects = new Map<string, object>();
const seen: string[] = [];
const provider = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => void chunks.push(chunk));
  request.on("end", () => {
    const { method = "", url = "" } = request;
    const [, , kind = "", id = ""] = url.split("?")[0]?.split("/") ?? [];
    seen.push(`${method} ${url}`);
    const send = sender(response);
    if (method === "POST" && id === "") {
      const object = create(kind);
      const isStream = Buffer.concat(chunks).toString().includes('"stream":true');
      return isStream ? send(200, streamOf(object), "text/event-stream") : send(200, object);
    }
    const object = objects.get(id);
    if (!object) return send(404, { error: { message: "no such object" } });
    if (method === "DELETE") objects.delete(id);
    send(200, method === "DELETE" ? { id, deleted: true } : object);
  });
});
await new Promise<void>((resolve) => void provider.listen(0, "127.0.0.1", resolve));
const { port } = provider.address() as AddressInfo;

function sender(response: ServerResponse) {
  return (status: number, body: object | string, type = "application/json"): void => {
    response.writeHead(status, { "content-type": type });
    response.end(typeof body === "string" ? body : JSON.stringify(body));
  };
}

const PREFIXES: Readonly<Record<string, string>> = { files: "file-", batches: "batch_", responses: "resp_" };

function create(kind: string): object {
  const id = `${PREFIXES[kind] ?? ""}${objects.size + 1}${crypto.randomUUID().slice(0, 8)}`;
  const object = kind === "batches" ? withResults(id) : { id, object: kind, output: [], status: "completed" };
  objects.set(id, object);
  return object;
}

function withResults(id: string): object {
  const output_file_id = `file-of-${id}`;
  objects.set(output_file_id, { id: output_file_id, object: "file" });
  return { id, object: "batch", status: "completed", output_file_id };
}

const streamOf = (response: object): string =>
  ["response.created", "response.completed"]
    .map((type) => `event: ${type}\ndata: ${JSON.stringify({ type, response })}\n\n`)
    .join("");

const KEYS = { alice: "aei_alice-0123456789", bob: "aei_bob-0123456789", ci: "aei_ci-0123456789" };
const rules = { read: [{ kind: "service" }] };
const options: InterceptorOptions = {
  owners: "bound",
  vars: {
    PROVIDERS: {
      openai: {
        type: "openai",
        base_url: `http://127.0.0.1:${port}/v1`,
        keys: ["OPENAI_KEY"],
        objects: { owners: "check", ...rules },
      },
    },
    IDENTITY: [{ source: "keys" }],
  },
  secrets: {
    OPENAI_KEY: "sk-central-0123456789abcdef",
    CLIENT_KEYS: JSON.stringify(
      Object.entries(KEYS).map(([actor, key]) => ({
        sha256: createHash("sha256").update(key).digest("hex"),
        actor,
        kind: actor === "ci" ? "service" : "user",
      })),
    ),
  },
};
const interceptor = await startInterceptor(options);
afterAll(async () => {
  await interceptor.close();
  provider.close();
});

const clientOf = (apiKey: string): OpenAI =>
  new OpenAI({ baseURL: `${interceptor.url}/openai/v1`, apiKey, maxRetries: 0 });
const [alice, bob, ci] = [clientOf(KEYS.alice), clientOf(KEYS.bob), clientOf(KEYS.ci)];

const upload = async (client: OpenAI): Promise<string> =>
  (await client.files.create({ file: await toFile(Buffer.from("{}\n"), "in.jsonl"), purpose: "batch" })).id;
const respond = (client: OpenAI, more: object = {}) =>
  client.responses.create({ model: "gpt-5.1", input: "hello", ...more });
const batchOf = (client: OpenAI, input_file_id: string) =>
  client.batches.create({ input_file_id, endpoint: "/v1/responses", completion_window: "24h" });

const NOT_YOURS = { status: 404, code: "object_not_yours" };
/** Refused by the gateway: the provider sees nothing of the call. */
async function expectRefused(call: () => PromiseLike<unknown>, expected: object = NOT_YOURS): Promise<void> {
  const before = seen.length;
  await expect(call()).rejects.toMatchObject(expected);
  expect(seen.slice(before)).toEqual([]);
}

// The attack: Bob has learned the ids of Alice's objects, and the central key finds them for him.
describe("Finding M6: objects behind a central key, with the SDK", () => {
  it("are used by their creator, and not by another user", async () => {
    const file = await upload(alice);
    const batch = await batchOf(alice, file);
    const response = await respond(alice);
    const results = (await alice.batches.retrieve(batch.id)).output_file_id ?? "";
    expect((await alice.files.retrieve(file)).id).toBe(file);
    expect((await alice.files.retrieve(results)).id).toBe(results);
    expect((await respond(alice, { previous_response_id: response.id })).id).toMatch(/^resp_/);

    for (const id of [file, results]) {
      await expectRefused(() => bob.files.retrieve(id));
      await expectRefused(() => bob.files.content(id));
      await expectRefused(() => bob.files.delete(id));
      await expectRefused(() => batchOf(bob, id));
    }
    await expectRefused(() => bob.batches.retrieve(batch.id));
    await expectRefused(() => bob.batches.cancel(batch.id));
    await expectRefused(() => bob.responses.retrieve(response.id));
    await expectRefused(() => bob.responses.delete(response.id));
    await expectRefused(() => respond(bob, { previous_response_id: response.id }));
    await expectRefused(() => respond(bob, { previous_response_id: response.id, stream: true }));
    await expectRefused(() => bob.files.list(), { status: 403, code: "objects_not_allowed" });

    expect((await ci.files.retrieve(file)).id).toBe(file);
    await expectRefused(() => ci.files.delete(file));
    expect(await alice.files.delete(file)).toMatchObject({ deleted: true });
  });

  it("are used at once: the response's id in a stream's first event has an owner", async () => {
    for await (const event of await alice.responses.create({ model: "m", input: "hello", stream: true })) {
      if (event.type !== "response.created") continue;
      const { id } = event.response;
      expect((await respond(alice, { previous_response_id: id })).id).toMatch(/^resp_/);
      await expectRefused(() => respond(bob, { previous_response_id: id }));
    }
  });

  it("belong to no user once the store has lost them: a rule decides, and no user takes them over", async () => {
    const file = await upload(alice);
    const batch = await batchOf(alice, file);
    // The test's store goes with the process.
    await interceptor.update(options);
    for (const user of [alice, bob]) {
      await expectRefused(() => user.files.retrieve(file));
      await expectRefused(() => user.batches.retrieve(batch.id));
    }
    expect((await ci.files.retrieve(file)).id).toBe(file);
  });

  it("make the configuration invalid without the store", async () => {
    await interceptor.update({ ...options, owners: "absent" });
    await expect(alice.files.retrieve("file-1")).rejects.toMatchObject({
      status: 500,
      code: "misconfigured",
    });
  });
});
