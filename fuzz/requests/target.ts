/**
 * Target `requests`: malformed HTTP over TCP to the production bundle in plain workerd, so many connections at a time. A
 * case is one such crowd; a finding is made smaller to the one connection, and the few bytes of it, that it takes.
 */
import { within } from "../../test/support/deadline.ts";
import { openRaw } from "../../test/support/raw-client.ts";
import { latin1 } from "../../test/support/wire.ts";
import type { Random } from "../random.ts";
import { shorter, shorterText } from "../shrink.ts";
import type { Target, Verdict } from "../target.ts";
import { connection, shown, type Connection, type Family } from "./case.ts";
import { GOOD_KEYS, holdsGoodKey } from "./cast.ts";
import { wrongWith, type Seen } from "./checks.ts";
import type { House } from "../house.ts";

/** Connections to a case. */
export const CROWD = 100;
const AT_ONCE = 20;
/** Turns a hang into a finding. */
const HANGS_MS = 30_000;

const STRANGERS: ReadonlySet<Family> = new Set(["stranger", "misplaced"]);

export const requests = (house: House): Target<readonly Connection[]> => ({
  name: "requests",
  // Strangers among themselves: of such a crowd no call may reach a provider with central keys at all.
  generate: (random) => crowd(random, random() < 0.65),
  check: (sent) => check(house, sent),
  smaller: function* (sent) {
    yield* shorter(sent);
    const [only] = sent;
    if (sent.length !== 1 || !only) return;
    if (only.cut > 0) yield [{ ...only, cut: 0 }];
    for (const bytes of shorterText(only.bytes))
      if (holdsGoodKey(bytes) === holdsGoodKey(only.bytes)) yield [{ ...only, bytes, cut: 0 }];
  },
  show: (sent) =>
    sent.map(({ family, bytes, leaves }) => `${family}, then ${leaves}: ${shown(bytes)}`).join("\n"),
});

function crowd(random: Random, strangers: boolean): Connection[] {
  const all: Connection[] = [];
  while (all.length < CROWD) {
    const one = connection(random);
    if (STRANGERS.has(one.family) === strangers) all.push(one);
  }
  return all;
}

async function check(house: House, sent: readonly Connection[]): Promise<Verdict> {
  house.clear();
  const received: string[] = [];
  const queue = [...sent];
  const sender = async (): Promise<void> => {
    for (let one = queue.shift(); one; one = queue.shift()) received.push(await send(house, one));
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, sender));
    const seen = await settled(house, sent, received);
    return { wrong: wrongWith(seen), sort: sorts(seen) };
  } catch (error) {
    // Gone, or no longer answering: the next case needs another.
    await house.restart();
    return {
      wrong: `workerd: ${error instanceof Error ? error.message : String(error)}`,
      sort: "broken off",
    };
  }
}

/** What became of all these requests, by who answered. */
function sorts({ sent, received, upstream }: Seen): Map<string, number> {
  const counts = new Map<string, number>();
  const count = (name: string, by = 1): void => void counts.set(name, (counts.get(name) ?? 0) + by);
  for (const { family } of sent) count(`sent: ${family}`);
  for (const text of received) {
    if (text === "") count("closed without an answer");
    for (const [head, status] of text.matchAll(/^HTTP\/1\.[01] (\d{3}) [^]*?\r\n\r\n/gm)) {
      const refused = /^x-interceptor-error: (\S+)/im.exec(head)?.[1];
      const ours = /^x-interception-id:/im.test(head);
      count(`answered: ${status} ${refused ?? (ours ? "forwarded, or ours" : "by workerd")}`);
    }
  }
  count("calls that reached the provider", upstream.length);
  return counts;
}

/** Sends what there is to send and gives what came back until the other side closed. */
async function send({ interceptor }: House, { bytes, cut, leaves }: Connection): Promise<string> {
  const client = await openRaw(interceptor.port);
  client.write(bytes.slice(0, cut));
  if (cut > 0) await new Promise((resolve) => setImmediate(resolve));
  client.write(bytes.slice(cut));
  if (leaves === "reset") client.abort();
  else client.end();
  await within(client.closed, () => `a connection stays open after ${shown(bytes)}`, HANGS_MS);
  client.destroy();
  return latin1(client.received());
}

/** All that these connections led to, once nothing is under way any more. */
async function settled(
  house: House,
  sent: readonly Connection[],
  received: readonly string[],
): Promise<Seen> {
  const { interceptor, upstream } = house;
  // What came before has reached the provider, if it ever does, before this has.
  const barrier = await openRaw(interceptor.port);
  barrier.send({
    target: "/openai/v1/models?barrier",
    headers: [["Authorization", `Bearer ${GOOD_KEYS[0]}`]],
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
  // What never ends is told by the checks.
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
