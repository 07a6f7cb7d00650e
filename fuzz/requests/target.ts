/**
 * Target `requests`: malformed HTTP over TCP to the production bundle in plain workerd. A case is a set of concurrent
 * connections. Shrinking reduces a finding to the one connection, and the bytes of it, that cause the failure.
 */
import { within } from "../../test/support/deadline.ts";
import { openRaw } from "../../test/support/raw-client.ts";
import { latin1 } from "../../test/support/wire.ts";
import type { Gateway } from "../gateway.ts";
import type { Random } from "../random.ts";
import { shorter, shorterText } from "../shrink.ts";
import type { Target, Verdict } from "../target.ts";
import { holdsValidKey, VALID_KEYS } from "./canaries.ts";
import { connection, shown, type Connection, type Family } from "./case.ts";
import { findFailure, type Observed } from "./checks.ts";

export const CONNECTIONS_PER_CASE = 100;
const CONCURRENCY = 20;
/** Turns a hang into a finding. */
const HANG_TIMEOUT_MS = 30_000;

const WITHOUT_IDENTITY: ReadonlySet<Family> = new Set(["unauthenticated", "misplaced"]);

export const requests = (gateway: Gateway): Target<readonly Connection[]> => ({
  name: "requests",
  // Connections without an identity are a case of their own, so that any call with a central key is a failure.
  generate: (random) => randomConnections(random, random() < 0.65),
  check: (sent) => check(gateway, sent),
  smaller: function* (sent) {
    yield* shorter(sent);
    const [only] = sent;
    if (sent.length !== 1 || !only) return;
    if (only.cut > 0) yield [{ ...only, cut: 0 }];
    for (const bytes of shorterText(only.bytes))
      if (holdsValidKey(bytes) === holdsValidKey(only.bytes)) yield [{ ...only, bytes, cut: 0 }];
  },
  show: (sent) =>
    sent.map(({ family, bytes, closes }) => `${family}, then ${closes}: ${shown(bytes)}`).join("\n"),
});

function randomConnections(random: Random, withoutIdentity: boolean): Connection[] {
  const all: Connection[] = [];
  while (all.length < CONNECTIONS_PER_CASE) {
    const one = connection(random);
    if (WITHOUT_IDENTITY.has(one.family) === withoutIdentity) all.push(one);
  }
  return all;
}

async function check(gateway: Gateway, sent: readonly Connection[]): Promise<Verdict> {
  gateway.clear();
  const received: string[] = [];
  const queue = [...sent];
  const worker = async (): Promise<void> => {
    for (let one = queue.shift(); one; one = queue.shift()) received.push(await send(gateway, one));
  };
  try {
    await Promise.all(Array.from({ length: CONCURRENCY }, worker));
    const observed = await collect(gateway, sent, received);
    return { failure: findFailure(observed), category: categories(observed) };
  } catch (error) {
    // workerd crashed or hangs, so the next case needs a new process.
    await gateway.restart();
    return {
      failure: `workerd: ${error instanceof Error ? error.message : String(error)}`,
      category: "workerd failed",
    };
  }
}

/** The number of connections by family and by response. */
function categories({ sent, received, upstream }: Observed): Map<string, number> {
  const counts = new Map<string, number>();
  const count = (name: string, by = 1): void => void counts.set(name, (counts.get(name) ?? 0) + by);
  for (const { family } of sent) count(`sent: ${family}`);
  for (const text of received) {
    if (text === "") count("closed without a response");
    for (const [head, status] of text.matchAll(/^HTTP\/1\.[01] (\d{3}) [^]*?\r\n\r\n/gm)) {
      const refusal = /^x-interceptor-error: (\S+)/im.exec(head)?.[1];
      const isFromGateway = /^x-interception-id:/im.test(head);
      count(`response: ${status} ${refusal ?? (isFromGateway ? "forwarded or gateway" : "workerd")}`);
    }
  }
  count("calls that reached the provider", upstream.length);
  return counts;
}

/** Sends the connection's bytes. Returns the bytes received until the gateway closed. */
async function send({ interceptor }: Gateway, { bytes, cut, closes }: Connection): Promise<string> {
  const client = await openRaw(interceptor.port);
  client.write(bytes.slice(0, cut));
  if (cut > 0) await new Promise((resolve) => setImmediate(resolve));
  client.write(bytes.slice(cut));
  if (closes === "reset") client.abort();
  else client.end();
  await within(client.closed, () => `a connection stays open after ${shown(bytes)}`, HANG_TIMEOUT_MS);
  client.destroy();
  return latin1(client.received());
}

/** Everything that the connections caused, once no request is in progress. */
async function collect(
  gateway: Gateway,
  sent: readonly Connection[],
  received: readonly string[],
): Promise<Observed> {
  const { interceptor, upstream } = gateway;
  // A barrier: any earlier request that reaches the provider has reached it before this one.
  const barrier = await openRaw(interceptor.port);
  barrier.send({
    target: "/openai/v1/models?barrier",
    headers: [["Authorization", `Bearer ${VALID_KEYS[0]}`]],
  });
  await barrier.readResponse();
  barrier.destroy();
  const open = (): number => {
    const started = new Set<string>();
    for (const { record_type: type, interception_id: id } of interceptor.events()) {
      if (type === "interception_start") started.add(id);
      if (type === "interception_end") started.delete(id);
    }
    return started.size;
  };
  await interceptor.flush();
  // A timeout is not an error here: `checkEnds` reports the missing end.
  if (open() > 0) await interceptor.waitForEvents(() => open() === 0).catch(() => undefined);
  await interceptor.flush();
  return {
    sent,
    received,
    upstream: upstream.requests.filter(({ target }) => !target.endsWith("?barrier")),
    lines: interceptor.lines(),
    events: interceptor.events(),
    points: interceptor.points(),
  };
}
