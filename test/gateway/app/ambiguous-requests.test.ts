/**
 * Requests of which a budget, a list of models and a price could each read something else than the provider does. The attack in
 * each: a field by which the provider runs another model, or more, than was decided about.
 */
import { describe, expect, it } from "vitest";
import { chat, chatBody, MESSAGES_PATH, openWithBudgets } from "../../support/in-workerd/budget-gateway.ts";
import { alice } from "../../support/in-workerd/object-store.ts";

const RESPONSES_PATH = "/central/v1/responses";
const responsesBody = (extra: string): string => `{"model":"gpt-4o","input":"hi"${extra}}`;

/** The most that the request might cost, in micro-dollars: by the refusal of a budget without money. */
async function mostOf(body: string, path?: string): Promise<number | string | null> {
  const gateway = await openWithBudgets({ budgets: { people: { dollars: 0, unpriced: "refuse" } } });
  const { code, message } = await chat(gateway, body, alice, path);
  expect(gateway.sent).toHaveLength(0);
  const [, most] = /up to \$([\d.]+) requested/.exec(message) ?? [];
  return most === undefined ? code : Math.round(Number(most) * 1e6);
}

const INPUT = 2.5;
/** A token for two bytes. */
const inputOf = (body: string): number => Math.ceil(body.length / 2) * INPUT;
const cost = (body: string, output: number, rate = 10): number => Math.ceil(inputOf(body) + output * rate);

const withTool = (tool: string): string =>
  `{"model":"claude-opus-4-6","max_tokens":1,"messages":[],"tools":[${tool}]}`;

describe("a budget", () => {
  it.each([
    ["the limit of the output twice", ',"max_tokens":1,"max_tokens":100'],
    ["in another case", ',"Max_Tokens":1'],
    ["with a Kelvin sign", ',"max_to\u212Aens":1'],
    ["with a long s", ',"max_token\u017F":1'],
    ["once plain and once escaped", ',"max_tokens":1,"max_\\u0074okens":100'],
    ["n twice", ',"n":1,"N":100'],
    ["the tier twice", ',"service_tier":"default","Service_Tier":"priority"'],
  ])("refuses %s", async (_, extra) => {
    expect(await mostOf(chatBody(extra))).toBe("field_repeated");
  });

  it.each(["-1", "1e400", "1e3", '"5"', "1.5", "true", "[5]", "12345678901234567890"])(
    "refuses the limit %s",
    async (limit) => {
      expect(await mostOf(chatBody(`,"max_tokens":${limit}`))).toBe("field_invalid");
      expect(await mostOf(chatBody(`,"n":${limit}`))).toBe("field_invalid");
    },
  );

  it.each([
    ["an escaped name", ',"max_\\u0074okens":8', 8],
    ["the greater of two limits", ',"max_tokens":5,"max_completion_tokens":9', 9],
    ["the model's greatest without a limit", "", 16_384],
    ["the model's greatest where the limit is beyond it", ',"max_tokens":1000000', 16_384],
    ["every choice", ',"max_tokens":5,"n":1000000', 5_000_000],
    ["null as no limit", ',"max_tokens":null', 16_384],
    ["a field of another API as none", ',"max_output_tokens":1', 16_384],
  ])("counts %s", async (_, extra, output) => {
    const body = chatBody(extra);
    expect(await mostOf(body)).toBe(cost(body, output));
  });

  it("counts the tier that the request names, and refuses one without a price", async () => {
    const body = chatBody(',"max_tokens":100,"service_tier":"priority"');
    expect(await mostOf(body)).toBe(Math.ceil(1.7 * (inputOf(body) + 1000)));
    expect(await mostOf(chatBody(',"service_tier":"scale"'))).toBe("budget_unpriced");
    const fast = '{"model":"claude-opus-4-6","max_tokens":100,"messages":[],"speed":"fast"}';
    // Six times 25 and 10 micro-dollars, the latter for a write to the cache of an hour.
    expect(await mostOf(fast, MESSAGES_PATH)).toBe(6 * (100 * 25 + Math.ceil(fast.length / 2) * 10));
  });

  it("counts the dearest of the models of which one runs", async () => {
    const body = chatBody(',"max_tokens":100,"models":["gpt-4o-mini","gpt-4-turbo"]');
    // $10 and $30 per million tokens.
    expect(await mostOf(body)).toBe(Math.ceil(body.length / 2) * 10 + 3000);
  });

  // The attack: a model that refuses late is charged, and so is the one that goes on in its place.
  it.each([
    ["names", ',"fallbacks":["gpt-4-turbo"]'],
    ["objects", ',"fallbacks":[{"model":"gpt-4-turbo"}]'],
  ])("counts each of the models that follow one that refuses, as %s", async (_, list) => {
    const body = chatBody(`,"max_tokens":100${list}`);
    expect(await mostOf(body)).toBe(cost(body, 100) + Math.ceil(body.length / 2) * 10 + 3000);
  });

  it.each([
    ["a list with a model without a price", chatBody(',"models":["gpt-4o","my-llama"]'), "budget_unpriced"],
    ["a preset of the router", chatBody(',"preset":"cheap"'), "budget_unpriced"],
    ["no model", '{"messages":[]}', "budget_unpriced"],
    ["a text in place of a list", chatBody(',"models":"gpt-4o"'), "field_invalid"],
    ["a list with something else in it", chatBody(',"models":[5]'), "field_invalid"],
  ])("refuses %s", async (_, body, code) => {
    expect(await mostOf(body)).toBe(code);
  });

  it("counts the model that a tool names, beside the request's own", async () => {
    const tool = ',"tools":[{"type":"image_generation","model":"gpt-4-turbo"}],"max_output_tokens":10';
    const body = responsesBody(tool);
    // The results of hosted tools are input too: both models' contexts of 128,000 tokens.
    const own = 128_000 * INPUT + 10 * 10;
    const beside = 128_000 * 10 + 4096 * 30;
    expect(await mostOf(body, RESPONSES_PATH)).toBe(own + beside + 250_000);
    expect(
      await mostOf(responsesBody(',"tools":[{"type":"image_generation","model":"x"}]'), RESPONSES_PATH),
    ).toBe("budget_unpriced");
  });

  it.each([
    ["an earlier response", ',"previous_response_id":"resp_1"'],
    ["a conversation", ',"conversation":"conv_1"'],
    ["a stored prompt", ',"prompt":{"id":"pmpt_1"}'],
    ["a template", ',"chat_template":"{{ messages }}"'],
    ["embeddings of a prompt", ',"prompt_embeds":"abcd"'],
  ])("counts the model's context for %s", async (_, field) => {
    const body = responsesBody(`${field},"max_output_tokens":10`);
    expect(await mostOf(body, RESPONSES_PATH)).toBe(128_000 * INPUT + 100);
  });

  it.each([
    "api_base",
    "api_key",
    "base_url",
    "mock_response",
    "extra_body",
    "custom_llm_provider",
    "model_list",
  ])("refuses the field %s", async (field) => {
    expect(await mostOf(chatBody(`,"${field}":"x"`))).toBe("field_forbidden");
  });

  it("counts images and files by fixed figures, and a text that looks like one as a text", async () => {
    const base64 = "iVBOR".padEnd(400_000, "A");
    const image = `[{"type":"image_url","image_url":{"url":"data:image/png;base64,${base64}"}}]`;
    const withImage = `{"model":"gpt-4o","max_tokens":1,"messages":[{"role":"user","content":${image}}]}`;
    expect(await mostOf(withImage)).toBeLessThan(5100 * INPUT + 10);
    expect(await mostOf(withImage)).toBeGreaterThan(5000 * INPUT);
    const file = `[{"type":"document","source":{"type":"base64","data":"JVBER${base64}"}}]`;
    const withFile = `{"model":"claude-opus-4-6","max_tokens":1,"messages":[{"role":"user","content":${file}}]}`;
    expect(await mostOf(withFile, MESSAGES_PATH)).toBeLessThan(50_200 * 10);
    const text = `{"model":"gpt-4o","max_tokens":1,"messages":[{"role":"user","content":"data:image/png;base64,${base64}"}]}`;
    expect(await mostOf(text)).toBe(128_000 * INPUT + 10);
  });

  // The attack: megabytes of text in a place that looks like a file's, counted as one image.
  it.each([
    [
      "the input of a tool call",
      '[{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":{"data":TEXT}}]}]',
    ],
    [
      "a document that is a text",
      '[{"role":"user","content":[{"type":"document","source":{"type":"text","data":TEXT}}]}]',
    ],
    ["a member that is no file's", '[{"role":"user","content":[{"type":"text","text":"hi","data":TEXT}]}]'],
  ])("counts %s as a text", async (_, messages) => {
    const text = `"iVBOR${"word ".repeat(100_000)}"`;
    const body = `{"model":"claude-opus-4-6","max_tokens":1,"messages":${messages.replace("TEXT", text)}}`;
    expect(await mostOf(body, MESSAGES_PATH)).toBe(Math.ceil(body.length / 2) * 10 + 25);
  });

  it("counts a file whose key is escaped", async () => {
    const file =
      '[{"role":"user","content":[{"type":"input_file","file\\u005furl":"https://a.example/a.pdf"}]}]';
    expect(
      await mostOf(`{"model":"gpt-4o","max_output_tokens":1,"input":${file}}`, RESPONSES_PATH),
    ).toBeGreaterThan(50_000 * INPUT);
  });

  it.each([
    ["an item that the provider stores", '[{"type":"item_reference","id":"rs_1"}]'],
    ["tools that an item brings along", '[{"type":"additional_tools","tools":[]}]'],
  ])("counts the model's context for %s", async (_, input) => {
    const body = `{"model":"gpt-4o","max_output_tokens":10,"input":${input}}`;
    expect(await mostOf(body, RESPONSES_PATH)).toBe(128_000 * INPUT + 100);
  });

  it("counts a completion for each prompt of a list, and a limit of 0 as none", async () => {
    const path = "/central/v1/completions";
    const prompts = JSON.stringify(Array.from({ length: 100 }, () => "x"));
    const body = `{"model":"gpt-3.5-turbo-instruct","max_tokens":1000,"prompt":${prompts}}`;
    // $1.50 and $2 per million tokens.
    expect(await mostOf(body, path)).toBe(Math.ceil(Math.ceil(body.length / 2) * 1.5) + 100 * 1000 * 2);
    const unlimited = chatBody(',"max_tokens":0');
    expect(await mostOf(unlimited)).toBe(cost(unlimited, 16_384));
  });

  it("does not take the word of a request that it is a batch", async () => {
    expect(await mostOf(chatBody(',"service_tier":"batch"'))).toBe("budget_unpriced");
  });

  it("counts hosted searches, as many as the request allows", async () => {
    const context = 1_000_000 * 10 + 25;
    expect(
      await mostOf(
        withTool('{"type":"web_search_20250305","name":"web_search","max_uses":3}'),
        MESSAGES_PATH,
      ),
    ).toBe(context + 30_000);
    expect(await mostOf(withTool('{"type":"web_search_20250305","name":"web_search"}'), MESSAGES_PATH)).toBe(
      context + 100_000,
    );
    // A tool of the client costs its text.
    expect(await mostOf(withTool('{"name":"f","input_schema":{}}'), MESSAGES_PATH)).toBeLessThan(1000);
  });
});

const openWithList = () =>
  openWithBudgets({
    vars: {
      PROVIDERS: {
        central: {
          type: "openai",
          base_url: "https://central.example/v1",
          keys: ["CENTRAL_KEY"],
          models: ["gpt-4o"],
        },
      },
    },
  });

describe("a list of allowed models", () => {
  it.each([
    ["models", chatBody(',"models":["gpt-4o","o1-pro"]'), "model_not_allowed"],
    ["fallbacks", chatBody(',"fallbacks":[{"model":"o1-pro"}]'), "model_not_allowed"],
    ["a preset", chatBody(',"preset":"dear"'), "model_not_allowed"],
    ["a tool", chatBody(',"tools":[{"type":"image_generation","model":"o1-pro"}]'), "model_not_allowed"],
    ["a tool, escaped", chatBody(',"tools":[{"type":"x","mod\\u0065l":"o1-pro"}]'), "model_not_allowed"],
    ["a tool, in another case", chatBody(',"tools":[{"type":"x","Model":"o1-pro"}]'), "field_repeated"],
    [
      "a tool with two types",
      chatBody(',"tools":[{"type":"web_search","type":"function"}]'),
      "field_repeated",
    ],
    ["another address", chatBody(',"api_base":"https://other.example"'), "field_forbidden"],
    ["an extra body", chatBody(',"extra_body":{"model":"o1-pro"}'), "field_forbidden"],
    ["models that are allowed", chatBody(',"models":["gpt-4o"]'), null],
    ["an absent list", chatBody(',"models":null'), null],
  ])("also holds for %s", async (_, body, code) => {
    expect((await chat(await openWithList(), body)).code).toBe(code);
  });
});
