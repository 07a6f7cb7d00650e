/** `objects.owners = "check"`: a provider's stored object is used by its creator, and by whom a rule names. */
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { json, only, post, sse } from "../../support/in-workerd/calls.ts";
import { openGateway, type Gateway, type Provider } from "../../support/in-workerd/gateway-harness.ts";
import {
  alice,
  asserted,
  bob,
  bot,
  claimed,
  clientKeys,
  createdEvent,
  newId,
  storingProvider,
} from "../../support/in-workerd/object-store.ts";
import { upstreamBody } from "../../support/in-workerd/upstream-body.ts";

const { OBJECTS } = env as unknown as { readonly OBJECTS: DurableObjectNamespace };

type Headers = Record<string, string>;
type Options = {
  readonly objects?: Record<string, unknown>;
  readonly provider?: Provider;
  readonly store?: unknown;
};

async function open({ objects = {}, provider = storingProvider, store = OBJECTS }: Options = {}) {
  const checked = { owners: "check", ...objects };
  const central = "https://central.example";
  return openGateway({
    provider,
    vars: {
      PROVIDERS: {
        central: { type: "openai", base_url: `${central}/v1`, keys: ["CENTRAL_KEY"], objects: checked },
        claude: { type: "anthropic", base_url: `${central}/claude`, keys: ["CENTRAL_KEY"], objects: checked },
        own: { type: "openai", base_url: "https://own.example/v1", objects: checked },
      },
      OWNER_ASSERTION: { source: "keys" },
      CLIENT_KEYS: await clientKeys(),
      OBJECTS: store,
    },
  });
}

/** The refusal's code, or the status of the provider's response. */
async function outcome(gateway: Gateway, path: string, headers: Headers, init: RequestInit = {}) {
  const { response } = await gateway.exchange(path, {
    ...init,
    headers: { ...headers, ...(init.headers as Headers) },
  });
  return response.headers.get("x-interceptor-error") ?? response.status;
}

/** The id of what the request creates. */
async function create(gateway: Gateway, path: string, headers: Headers, body = "{}"): Promise<string> {
  const { response, text } = await gateway.exchange(path, post(body, headers));
  if (response.status !== 200) throw new Error(text);
  return /"id":"([^"]+)"/.exec(text)?.[1] ?? "";
}

const FORM = '--x\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\nabc\r\n--x--\r\n';
const uploadOf = (headers: Headers) =>
  post(FORM, { ...headers, "content-type": "multipart/form-data; boundary=x" });
async function upload(gateway: Gateway, headers: Headers): Promise<string> {
  const { text } = await gateway.exchange("/central/v1/files", uploadOf(headers));
  return (JSON.parse(text) as { id: string }).id;
}

const RESPONSE = '{"model":"m","input":"hi"}';
const respond = (field: string): string => `{"model":"m","input":"hi",${field}}`;

const CREATIONS = [
  ["/central/v1/batches", '{"endpoint":"/v1/responses"}', "/central/v1/batches"],
  ["/central/v1/responses", RESPONSE, "/central/v1/responses"],
  ["/central/v1/responses", '{"model":"m","input":"hi","stream":true}', "/central/v1/responses"],
  ["/central/v1/conversations", "{}", "/central/v1/conversations"],
  ["/claude/v1/messages/batches", '{"requests":[]}', "/claude/v1/messages/batches"],
  ["/claude/v1/files", "{}", "/claude/v1/files"],
] as const;

// The attack: behind a central key, Bob uses the id of an object that Alice has created.
describe("Finding M6: with objects.owners, an object", () => {
  it.each(CREATIONS)("of POST %s %s is its creator's alone", async (path, body, root) => {
    const gateway = await open();
    const id = await create(gateway, path, alice, body);
    for (const [method, suffix] of [
      ["GET", ""],
      ["HEAD", ""],
      ["DELETE", ""],
      ["POST", "/cancel"],
      ["PATCH", ""],
      ["PUT", "/x"],
      ["GET", "/content"],
    ] as const) {
      const sent = gateway.sent.length;
      for (const other of [bob, bot])
        expect(await outcome(gateway, `${root}/${id}${suffix}`, other, { method })).toBe("object_not_yours");
      expect(gateway.sent.length).toBe(sent);
      expect(await outcome(gateway, `${root}/${id}${suffix}`, alice, { method })).toBe(200);
    }
  });

  it("that was uploaded as a form is its creator's alone", async () => {
    const gateway = await open();
    const id = await upload(gateway, alice);
    expect(await outcome(gateway, `/central/v1/files/${id}/content`, bob)).toBe("object_not_yours");
    expect(await outcome(gateway, `/central/v1/files/${id}/content`, alice)).toBe(200);
  });

  it("is refused as one that does not exist: 404 in the dialect, and a recorded refusal", async () => {
    const gateway = await open();
    const id = await create(gateway, "/claude/v1/files", alice);
    const read = (name: string) => gateway.exchange(`/claude/v1/files/${name}`, { headers: bob });
    const [known, unknown] = [await read(id), await read(newId("file_"))];
    expect(known.response.status).toBe(404);
    expect(known.text).toBe(unknown.text);
    expect(JSON.parse(known.text)).toMatchObject({ type: "error", error: { type: "not_found_error" } });
    expect(only(known.events, "refusal")).toMatchObject({ reason: "object_not_yours", actor_id: "bob" });
  });

  it("is not Alice's by the word of a caller that names her", async () => {
    const gateway = await open();
    const id = await create(gateway, "/central/v1/responses", alice, RESPONSE);
    const path = `/central/v1/responses/${id}`;
    expect(await outcome(gateway, path, asserted)).toBe("object_not_yours");
    // Behind a provider without central keys, where unverified callers get through.
    const own = await create(gateway, "/own/v1/responses", claimed, RESPONSE);
    const other = { ...claimed, authorization: "Bearer sk-others-own-key-0123456789" };
    expect(await outcome(gateway, `/own/v1/responses/${own}`, claimed)).toBe(200);
    expect(await outcome(gateway, `/own/v1/responses/${own}`, other)).toBe("object_not_yours");
    const alices = await create(
      gateway,
      "/own/v1/responses",
      {
        "x-coder-ai-governance-token": alice.authorization.slice(7),
        "x-api-key": "sk-alices-own-key-0123456789",
      },
      RESPONSE,
    );
    expect(await outcome(gateway, `/own/v1/responses/${alices}`, claimed)).toBe("object_not_yours");
  });

  it("belongs to a provider's name: another provider's object of the same id is another one", async () => {
    const gateway = await open();
    const id = await create(gateway, "/central/v1/responses", alice, RESPONSE);
    expect(await outcome(gateway, `/own/v1/responses/${id}`, alice)).not.toBe(200);
  });
});

// The attack: the same id in another spelling, which the store does not know and the provider does.
describe("Finding M6: another spelling of an id in a path", () => {
  it.each([
    (id: string) => `%66${id.slice(1)}`,
    (id: string) => `${id}/`,
    (id: string) => `${id}.`,
    (id: string) => `${id}%20`,
    (id: string) => `${id}%00`,
    (id: string) => id.toUpperCase(),
    (id: string) => `/${id}`,
    (id: string) => `./${id}`,
    (id: string) => `x/../${id}`,
    (id: string) => `x%2f..%2f${id}`,
    (id: string) => `${id};a`,
    (id: string) => `${id}%3Fa`,
    (id: string) => `${id}%23a`,
  ])("is refused: %s", async (spell) => {
    const gateway = await open();
    const id = await upload(gateway, alice);
    const sent = gateway.sent.length;
    const { response } = await gateway.exchange(`/central/v1/files/${spell(id)}`, { headers: bob });
    expect(response.status).toBe(404);
    expect(gateway.sent.length).toBe(sent);
  });

  it("that means the same is the same object: its owner may use it", async () => {
    const gateway = await open({ provider: () => json('{"id":"ft:gpt:org"}') });
    await gateway.exchange("/central/v1/conversations", post("{}", alice));
    expect(await outcome(gateway, "/central/v1/conversations/ft%3Agpt:org", alice)).toBe(200);
    expect(await outcome(gateway, "/central/v1/conversations/ft%3Agpt:org", bob)).toBe("object_not_yours");
  });
});

// The attack: an id in the body of a call reads another's object just as a path does.
describe("Finding M6: an id in a body", () => {
  const NAMED: readonly (readonly [string, (id: string) => string])[] = [
    ["previous_response_id", (id) => respond(`"previous_response_id":"${id}"`)],
    ["conversation", (id) => respond(`"conversation":"${id}"`)],
    ["conversation.id", (id) => respond(`"conversation":{"id":"${id}"}`)],
    ["an escaped key", (id) => respond(`"previous_respons\\u0065_id":"${id}"`)],
    ["an escaped value", (id) => respond(`"previous_response_id":"\\u0072${id.slice(1)}"`)],
    [
      "a file of a message",
      (id) => `{"model":"m","input":[{"role":"user","content":[{"type":"input_file","file_id":"${id}"}]}]}`,
    ],
    [
      "a file of a prompt's variable",
      (id) => respond(`"prompt":{"id":"p","variables":{"input":{"type":"input_file","file_id":"${id}"}}}`),
    ],
    [
      "a vector store",
      (id) => respond(`"tools":[{"type":"file_search","vector_store_ids":["mine","${id}"]}]`),
    ],
    ["a container", (id) => respond(`"tools":[{"type":"code_interpreter","container":"${id}"}]`)],
    [
      "files of a container",
      (id) =>
        respond(`"tools":[{"type":"code_interpreter","container":{"type":"auto","file_ids":["${id}"]}}]`),
    ],
    ["an item reference", (id) => `{"model":"m","input":[{"type":"item_reference","id":"${id}"}]}`],
    ["an item reference without a type", (id) => `{"model":"m","input":[{"id":"${id}"}]}`],
  ];

  it.each(NAMED)("is checked: %s", async (_, body) => {
    const gateway = await open();
    const id = await create(gateway, "/central/v1/responses", alice, RESPONSE);
    const mine = await create(gateway, "/central/v1/responses", alice, RESPONSE);
    const call = (headers: Headers) =>
      outcome(gateway, "/central/v1/responses", headers, post(body(id).replace("mine", mine), {}));
    const sent = gateway.sent.length;
    expect(await call(bob)).toBe("object_not_yours");
    for (const path of ["/central/v1/responses/compact", "/central/v1/responses/input_tokens"])
      expect(await outcome(gateway, path, bob, post(body(id), {}))).toBe("object_not_yours");
    expect(gateway.sent.length).toBe(sent);
    expect(await call(alice)).toBe(200);
  });

  it.each([
    [
      (id: string, own: string) => respond(`"previous_response_id":"${own}","previous_response_id":"${id}"`),
      "field_repeated",
    ],
    [
      (id: string, own: string) => respond(`"previous_response_id":"${id}","Previous_Response_Id":"${own}"`),
      "field_repeated",
    ],
    [
      (id: string, own: string) =>
        `{"model":"m","input":[{"content":[{"file_id":"${own}","file_id":"${id}"}]}]}`,
      "object_not_yours",
    ],
    [
      (id: string, own: string) =>
        `{"model":"m","input":[{"content":[{"file_id":"${own}","File_ID":"${id}"}]}]}`,
      "object_not_yours",
    ],
  ])("is checked wherever it is repeated (%#)", async (body, code) => {
    const gateway = await open();
    const id = await create(gateway, "/central/v1/responses", alice, RESPONSE);
    const own = await create(gateway, "/central/v1/responses", bob, RESPONSE);
    expect(await outcome(gateway, "/central/v1/responses", bob, post(body(id, own), {}))).toBe(code);
  });

  it.each([
    ["/central/v1/batches", (id: string) => `{"input_file_id":"${id}"}`],
    [
      "/central/v1/chat/completions",
      (id: string) =>
        `{"model":"m","messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"${id}"}}]}]}`,
    ],
    ["/central/v1/images/edits", (id: string) => `{"model":"m","images":[{"file_id":"${id}"}]}`],
    ["/central/v1/conversations", (id: string) => `{"items":[{"type":"item_reference","id":"${id}"}]}`],
    [
      "/central/v1/conversations",
      (id: string) => `{"items":[{"type":"message","type":"item_reference","id":"${id}","content":[]}]}`,
    ],
    [
      "/claude/v1/messages",
      (id: string) =>
        `{"model":"m","messages":[{"role":"user","content":[{"type":"document","source":{"type":"file","file_id":"${id}"}}]}]}`,
    ],
    ["/claude/v1/messages", (id: string) => `{"model":"m","messages":[],"container":"${id}"}`],
    [
      "/claude/v1/messages/count_tokens",
      (id: string) => `{"model":"m","messages":[{"role":"user","content":[{"source":{"file_id":"${id}"}}]}]}`,
    ],
    [
      "/claude/v1/messages/batches",
      (id: string) =>
        `{"requests":[{"custom_id":"a","params":{"messages":[{"content":[{"source":{"file_id":"${id}"}}]}]}}]}`,
    ],
  ])("is checked in POST %s", async (path, body) => {
    const gateway = await open();
    const root = path.startsWith("/claude") ? "/claude/v1/files" : "/central/v1/conversations";
    const id = await create(gateway, root, alice);
    const sent = gateway.sent.length;
    expect(await outcome(gateway, path, bob, post(body(id), {}))).toBe("object_not_yours");
    expect(gateway.sent.length).toBe(sent);
    expect(await outcome(gateway, path, alice, post(body(id), {}))).toBe(200);
  });

  it("is checked in a body that only claims to be a form", async () => {
    const gateway = await open();
    const id = await create(gateway, "/central/v1/conversations", alice);
    const headers = { "content-type": "multipart/form-data; boundary=x" };
    const body = `{"items":[{"content":[{"file_id":"${id}"}]}]}`;
    const own = await create(gateway, "/central/v1/conversations", bob);
    expect(await outcome(gateway, `/central/v1/conversations/${own}/items`, bob, post(body, headers))).toBe(
      "form_invalid",
    );
  });

  it.each([
    ["/central/v1/responses", respond('"metadata":{"file_id":"x","conversation":"y"}')],
    [
      "/central/v1/responses",
      respond(
        '"tools":[{"type":"function","name":"f","parameters":{"properties":{"file_id":{"type":"string"}},"required":["file_id"]}}]',
      ),
    ],
    [
      "/central/v1/responses",
      '{"model":"m","input":[{"type":"message","id":"msg_1","role":"assistant","content":[]}],"conversation":null}',
    ],
    [
      "/claude/v1/messages",
      '{"model":"m","messages":[{"role":"assistant","content":[{"type":"tool_use","input":{"file_id":"drive-1"}}]}]}',
    ],
  ])("is no other data of the client: POST %s %s", async (path, body) => {
    expect(await outcome(await open(), path, bob, post(body, {}))).toBe(200);
  });

  it("counts: a request names 64 objects at most", async () => {
    const gateway = await open();
    const ids = Array.from({ length: 65 }, (_, at) => `"f${at}"`).join();
    expect(
      await outcome(gateway, "/central/v1/responses", bob, post(respond(`"file_ids":[${ids}]`), {})),
    ).toBe("object_not_yours");
  });
});

describe("the rules with objects.owners", () => {
  const RULES = { read: [{ kind: "service" }], delete: [{ actor: "bot" }] };

  it("name who uses all objects, and no other caller", async () => {
    const gateway = await open({ objects: RULES });
    const id = await create(gateway, "/central/v1/responses", alice, RESPONSE);
    const path = `/central/v1/responses/${id}`;
    const next = post(respond(`"previous_response_id":"${id}"`), {});
    expect(await outcome(gateway, path, bot)).toBe(200);
    expect(await outcome(gateway, path, bob)).toBe("object_not_yours");
    expect(await outcome(gateway, "/central/v1/responses", bot, next)).toBe(200);
    // No rule lets a service write, nor act for an owner whose objects these are not.
    expect(await outcome(gateway, `${path}/cancel`, bot, { method: "POST" })).toBe("object_not_yours");
    expect(await outcome(gateway, path, asserted)).toBe("object_not_yours");
    expect(await outcome(gateway, path, bot, { method: "DELETE" })).toBe(200);
    expect(await outcome(gateway, "/central/v1/files/not-created-here", bot)).toBe(200);
  });

  it.each([
    "/central/v1/files",
    "/central/v1/batches?limit=1",
    "/central/v1/conversations",
    "/claude/v1/files",
    "/claude/v1/messages/batches",
  ])("decide about lists: GET %s", async (path) => {
    expect(await outcome(await open({ objects: RULES }), path, bot)).toBe(200);
    for (const objects of [RULES, { read: "on" }])
      for (const caller of [alice, bob])
        expect(await outcome(await open({ objects }), path, caller)).toBe("objects_not_allowed");
    for (const method of ["DELETE", "PUT", "PATCH"])
      expect(await outcome(await open(), path, bob, { method })).toBe("objects_not_allowed");
  });

  it('refuse the owner too where they are "off"', async () => {
    const gateway = await open({ objects: { delete: "off" } });
    const id = await create(gateway, "/central/v1/responses", alice, RESPONSE);
    expect(await outcome(gateway, `/central/v1/responses/${id}`, alice, { method: "DELETE" })).toBe(
      "objects_not_allowed",
    );
  });

  it("leave lists of models to models, and a model's deletion to its creator", async () => {
    const gateway = await open();
    for (const path of ["/central/v1/models", "/central/v1/models/gpt", "/claude/v1/models"])
      expect(await outcome(gateway, path, bob)).toBe(200);
    expect(await outcome(gateway, "/central/v1/models/ft:gpt:org::1", bob, { method: "DELETE" })).toBe(
      "object_not_yours",
    );
    expect(await outcome(gateway, "/central/v1/models", bob, { method: "POST" })).toBe("method_not_allowed");
  });
});

describe("files that a batch names", () => {
  const batch = newId("batch_");
  const files = [newId("file-"), newId("file-")];
  const provider: Provider = (sent) =>
    sent.method === "POST"
      ? json(`{"id":"${batch}","output_file_id":null}`)
      : json(`{"id":"${batch}","output_file_id":"${files[0]}","error_file_id":"${files[1]}"}`);

  it("are the owner's once it has read its batch, not the one's who may read all", async () => {
    const gateway = await open({ provider, objects: { read: [{ kind: "service" }] } });
    await create(gateway, "/central/v1/batches", alice);
    await outcome(gateway, `/central/v1/batches/${batch}`, bot);
    expect(await outcome(gateway, `/central/v1/files/${files[0]}/content`, alice)).toBe("object_not_yours");
    const read = await gateway.exchange(`/central/v1/batches/${batch}`, { headers: alice });
    expect(JSON.parse(read.text)).toMatchObject({ output_file_id: files[0] });
    expect(only(read.events, "batch_file")).toMatchObject({ msg_id: batch });
    for (const file of files) {
      expect(await outcome(gateway, `/central/v1/files/${file}/content`, alice)).toBe(200);
      expect(await outcome(gateway, `/central/v1/files/${file}/content`, bob)).toBe("object_not_yours");
    }
  });
});

describe("the registration of a new object", () => {
  it("precedes the response: a stream's first byte too", async () => {
    const id = newId("resp_");
    const body = upstreamBody();
    const gateway = await open({ provider: () => sse(body.stream) });
    body.send(": keep-alive\n\n");
    const pending = gateway.call(
      "/central/v1/responses",
      post('{"model":"m","input":"hi","stream":true}', alice),
    );
    const text = createdEvent(id);
    body.send(text.slice(0, 60));
    body.send(text.slice(60));
    const { response, settled } = await pending;
    // The stream goes on, and the id is in use.
    const other = await open();
    expect(await outcome(other, `/central/v1/responses/${id}`, alice)).toBe(200);
    expect(await outcome(other, `/central/v1/responses/${id}`, bob)).toBe("object_not_yours");
    body.send(
      'data: {"type":"response.completed","response":{"usage":{"input_tokens":1,"output_tokens":2}}}\n\n',
    );
    body.end();
    expect(await response.text()).toContain(`: keep-alive\n\n${text}data:`);
    await settled();
    expect(only(gateway.events, "token_usage")).toMatchObject({ input_tokens: 1, output_tokens: 2 });
  });

  it.each([1, 3, 7])(
    "finds the id in pieces of %i bytes, of a mislabelled stream and of a body alike",
    async (size) => {
      for (const isStream of [true, false]) {
        const id = newId("resp_");
        const text = isStream ? createdEvent(id) : `\n{"object":"response", "id":"${id}"}`;
        const body = upstreamBody();
        for (let at = 0; at < text.length; at += size) body.send(text.slice(at, at + size));
        body.end();
        const headers = { "content-type": "application/json" };
        const gateway = await open({ provider: () => new Response(body.stream, { headers }) });
        const { text: received } = await gateway.exchange("/central/v1/responses", post(RESPONSE, alice));
        expect(received).toBe(text);
        expect(await outcome(await open(), `/central/v1/responses/${id}`, alice)).toBe(200);
      }
    },
  );

  const LARGE = "x".repeat(2 * 1024 * 1024);
  it.each([
    ["body", (id: string) => `{"id":"${id}","output":"${LARGE}"}`],
    [
      "event",
      (id: string) =>
        `event: response.created\ndata: {"type":"response.created","response":{"id":"${id}","instructions":"${LARGE}"}}\n\n`,
    ],
  ])("finds the id of a first %s that is too large to be held", async (_, textOf) => {
    const id = newId("resp_");
    const text = textOf(id);
    const gateway = await open({ provider: () => json(text) });
    const { text: received } = await gateway.exchange("/central/v1/responses", post(RESPONSE, alice));
    expect(received === text).toBe(true);
    expect(await outcome(await open(), `/central/v1/responses/${id}`, alice)).toBe(200);
  });

  // The attack: a second creation that reports the id of an object which has an owner, to take it over.
  it("takes no object over: of many callers at once, one owns it, and the others get no id", async () => {
    const id = newId("conv_");
    const provider: Provider = () => json(`{"id":"${id}"}`);
    const callers = Array.from({ length: 20 }, (_, at) => (at % 2 === 0 ? alice : bob));
    const results = await Promise.all(
      callers.map(async (caller) =>
        outcome(await open({ provider }), "/central/v1/conversations", caller, post("{}", {})),
      ),
    );
    expect(results.filter((result) => result === "objects_unavailable")).toHaveLength(10);
    const won = callers.filter((_, at) => results[at] === 200);
    expect(won).toHaveLength(10);
    expect(new Set(won).size).toBe(1);
    const loser = won[0] === alice ? bob : alice;
    expect(await outcome(await open(), `/central/v1/conversations/${id}`, loser)).toBe("object_not_yours");
  });

  it("is not made from labels that the client wrote, nor from an error", async () => {
    const id = newId("file-");
    const echo = `{"id":"${newId("resp_")}","metadata":{"file_id":"${id}","id":"${id}"},"input_file_id":"${id}"}`;
    await outcome(
      await open({ provider: () => json(echo) }),
      "/central/v1/responses",
      bob,
      post(RESPONSE, {}),
    );
    await outcome(
      await open({ provider: () => json(`{"id":"${id}"}`, { status: 400 }) }),
      "/central/v1/conversations",
      bob,
      post("{}", {}),
    );
    expect(await outcome(await open(), `/central/v1/files/${id}`, bob)).toBe("object_not_yours");
  });

  it("is left out where the client wants nothing stored", async () => {
    const gateway = await open();
    const id = await create(gateway, "/central/v1/responses", alice, respond('"store":false'));
    expect(await outcome(gateway, `/central/v1/responses/${id}`, alice)).toBe("object_not_yours");
  });
});

describe("a store of owners that is down", () => {
  const down = {
    idFromName: () => ({}),
    get: () => ({ fetch: () => Promise.reject(new Error("down")) }),
  };
  const DOWN = [
    ["/central/v1/files/file-1", {}],
    ["/claude/v1/files/file-1", {}],
    ["/central/v1/responses", post(respond('"previous_response_id":"x"'), {})],
    // The provider has created it, and no client gets its id.
    ["/central/v1/responses", post(RESPONSE, {})],
    ["/central/v1/conversations", post("{}", {})],
    ["/central/v1/batches", post("{}", {})],
  ] as const;

  it.each(DOWN)("refuses what needs it: %s", async (path, init) => {
    const gateway = await open({ store: down });
    const { response, text } = await gateway.exchange(path, {
      ...init,
      headers: { ...alice, "content-type": "application/json" },
    });
    expect([response.status, response.headers.get("x-interceptor-error")]).toEqual([
      503,
      "objects_unavailable",
    ]);
    expect(text).not.toMatch(/resp_|conv_|batch_/);
    // The SDKs would have each retry create an object.
    expect(response.headers.get("x-should-retry")).toBe(gateway.sent.length > 0 ? "false" : null);
    expect(gateway.operatorErrors).toEqual([{ event: "object_owners_failed", reason: "Error" }]);
  });

  it("does not end the retries of a batch that is read, whose files it cannot store", async () => {
    const claimsFail = {
      idFromName: () => ({}),
      get: () => ({
        fetch: (url: string) =>
          url.includes("/claim?") ? Promise.reject(new Error("down")) : Promise.resolve(new Response(null)),
      }),
    };
    const gateway = await open({
      store: claimsFail,
      provider: () => json('{"id":"batch_1","output_file_id":"file-1"}'),
    });
    const { response, events } = await gateway.exchange("/central/v1/batches/batch_1", { headers: alice });
    expect([response.status, response.headers.get("x-should-retry")]).toEqual([503, null]);
    expect(only(events, "passthrough")).toMatchObject({
      outcome: "upstream_error",
      error: "objects_unavailable",
    });
  });

  it("does not matter to a request that names no object, nor to who uses all", async () => {
    const gateway = await open({ store: down, objects: { read: [{ kind: "service" }] } });
    const chat = post('{"model":"m","messages":[]}', {});
    expect(await outcome(gateway, "/central/v1/chat/completions", bob, chat)).toBe(200);
    expect(await outcome(gateway, "/central/v1/files/file-1", bot)).toBe(200);
  });
});
