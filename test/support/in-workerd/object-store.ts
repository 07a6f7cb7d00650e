/** A provider that stores objects for one account, as OpenAI and Anthropic do, and the callers of a gateway in front of it. */
import { sha256Hex } from "../../../src/shared/digest.ts";
import { json, sse } from "./calls.ts";
import type { Provider, Sent } from "./gateway-harness.ts";
import { upstreamBody } from "./upstream-body.ts";
import { CODER_AGENTS_UA, OWNER } from "./values.ts";

const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

/** Alice's actor id is a UUID, so that another caller can name her as the owner. */
export const ALICE_ID = OWNER;
const KEYS = { alice: "aei_alice-client-key-0123456789", bob: "aei_bob-client-key-0123456789" };
const BOT = "aei_bot-client-key-0123456789";
export const alice = bearer(KEYS.alice);
export const bob = bearer(KEYS.bob);
export const bot = bearer(BOT);
/** Callers that name Alice: one that is not verified, and a service. */
export const claimed = {
  ...bearer("sk-unknown-own-key-0123456789"),
  "user-agent": CODER_AGENTS_UA,
  "x-coder-owner-id": ALICE_ID,
};
export const asserted = { ...bot, "user-agent": CODER_AGENTS_UA, "x-coder-owner-id": ALICE_ID };

export const clientKeys = async (): Promise<string> =>
  JSON.stringify([
    { sha256: await sha256Hex(KEYS.alice), actor: ALICE_ID, kind: "user" },
    { sha256: await sha256Hex(KEYS.bob), actor: "bob", kind: "user" },
    { sha256: await sha256Hex(BOT), actor: "bot", kind: "service" },
  ]);

let created = 0;
/** No two tests create the same object: the store of owners outlives them. */
export const newId = (kind: string): string => `${kind}${(created += 1)}-${crypto.randomUUID()}`;

const KINDS: readonly (readonly [RegExp, string])[] = [
  [/\/files$/, "file-"],
  [/\/messages\/batches$/, "msgbatch_"],
  [/\/batches$/, "batch_"],
  [/\/responses(?:\/compact)?$/, "resp_"],
  [/\/conversations$/, "conv_"],
];

/** Responds to a creation with a new id, to all else with the id of the path's last segment. */
export const storingProvider: Provider = (sent) => {
  const { pathname } = new URL(sent.url);
  const kind = sent.method === "POST" && KINDS.find(([path]) => path.test(pathname))?.[1];
  const id = kind ? newId(kind) : (pathname.split("/").at(-1) ?? "");
  if (kind === "resp_" && textOf(sent).includes('"stream":true')) return streamed(id);
  return json(JSON.stringify({ object: "thing", id, status: "completed" }));
};

export const textOf = ({ body }: Sent): string => new TextDecoder().decode(body);

export const createdEvent = (id: string): string =>
  `event: response.created\ndata: ${JSON.stringify({ type: "response.created", response: { id } })}\n\n`;

function streamed(id: string): Response {
  const body = upstreamBody();
  body.send(createdEvent(id));
  body.send(`event: response.completed\ndata: {"type":"response.completed","response":{"id":"${id}"}}\n\n`);
  body.end();
  return sse(body.stream);
}
