/** An explanation as lines for people. What callers wrote is nowhere in it but in ids and names. */
import { styleText } from "node:util";
import { plainText } from "../local/plain-text.ts";

type Named = Readonly<Record<string, unknown>>;

/** As the API's document has it, of which only what is printed is named here. */
export type Explanation = {
  readonly destination: string;
  readonly route: Named | null;
  readonly client: string | null;
  readonly presented: Readonly<Record<string, Named | null>> | null;
  readonly delegation: string;
  readonly actor: Named | null;
  readonly initiator: Named | null;
  readonly rule: string | null;
  readonly signature: string | null;
  readonly directory: string | null;
  readonly candidates: readonly Named[];
  readonly undecided: string | null;
  readonly upstream_key: Named | null;
  readonly flags: readonly string[];
  readonly refusal: Named | null;
};

const LEADS_TO: Readonly<Record<string, string>> = {
  api: "the API over the records: no provider is asked",
  base: "a base URL: answered here, no provider is asked",
  nowhere: "no route",
};

export function toText(explanation: Explanation): string {
  const { undecided, refusal } = explanation;
  const rows: readonly (readonly [name: string, lines: readonly string[]])[] = [
    ["route", [routeOf(explanation)]],
    ["client", [shown(explanation.client)]],
    ["presented", presentedOf(explanation)],
    ["delegation", [explanation.delegation]],
    ["actor", [actorOf(explanation)]],
    ["initiator", [initiatorOf(explanation)]],
    ["decided by", [decidedBy(explanation)]],
    ["candidates", explanation.candidates.map(candidateOf)],
    ["upstream key", [keyOf(explanation)]],
    ["flags", explanation.flags.map(shown)],
    [
      "undecided",
      undecided === null ? [] : [`${shown(undecided)}: send the body's SHA-256 (--body, --body-sha256)`],
    ],
    ["refused", refusal === null ? [] : refusalOf(refusal)],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows
    .filter(([, lines]) => lines.length > 0)
    .flatMap(([name, lines]) =>
      lines.map((line, at) => `${styleText("dim", (at === 0 ? name : "").padEnd(width))}  ${line}`),
    )
    .join("\n");
}

/** What is null was not looked at, or there is none. */
function shown(value: unknown): string {
  return value === null || value === undefined ? "–" : plainText(String(value));
}

function routeOf({ destination: to, route }: Explanation): string {
  if (route === null) return LEADS_TO[to] ?? shown(to);
  const { provider, provider_type: type, route: path, kind } = route;
  return `${shown(provider)} (${shown(type)}) ${shown(path)}, ${kind === "intercept" ? "intercepted" : "passed through"}`;
}

function presentedOf({ presented }: Explanation): string[] {
  return Object.entries(presented ?? {}).flatMap(([what, secret]) =>
    secret ? [`${what}: ${shown(secret["header"])}, key id ${shown(secret["key_id"])}`] : [],
  );
}

function actorOf({ actor }: Explanation): string {
  if (actor === null) return "–";
  const { id, kind, name, source, verified, key_id: keyId, may_assert: may } = actor;
  return [
    `${shown(id)}${name === null ? "" : ` "${shown(name)}"`} (${shown(kind)})`,
    `${verified ? "verified" : "not verified"} by ${shown(source)}`,
    `key id ${shown(keyId)}`,
    ...(may === null ? [] : [may ? "may assert" : "may not assert"]),
  ].join(", ");
}

function initiatorOf({ initiator }: Explanation): string {
  if (initiator === null) return "–";
  const { id, name, attribution } = initiator;
  return `${styleText("bold", shown(id))}${name === null ? "" : ` "${shown(name)}"`}, ${shown(attribution)}`;
}

function decidedBy({ rule, signature, directory }: Explanation): string {
  return `rule ${shown(rule)} · signature ${shown(signature)} · directory ${shown(directory)}`;
}

function candidateOf({ who, id, rejection_reason: why }: Named): string {
  return `${shown(who)} ${shown(id)}${why === null ? styleText("green", " counts") : ` lost: ${shown(why)}`}`;
}

function keyOf({ upstream_key: key }: Explanation): string {
  if (key === null) return "–";
  return key["kind"] === "centralized"
    ? `one of the gateway's own, in ${shown(key["header"])}`
    : `the client's own, in ${shown(key["header"])}, key id ${shown(key["key_id"])}`;
}

function refusalOf({ reason, status, message, detail }: Named): string[] {
  return [
    styleText("red", `${shown(status)} ${shown(reason)}`),
    `the caller is told: ${shown(message)}`,
    ...(detail === null ? [] : [`the operator: ${shown(detail)}`]),
  ];
}
