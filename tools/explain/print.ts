/** Formats an explanation for a terminal. Only its ids and names contain text that callers sent. */
import { styleText } from "node:util";
import { dollars } from "../../src/records/api/kit/money.ts";
import { plainText } from "../local/plain-text.ts";

type Named = Readonly<Record<string, unknown>>;

/** The API's response (docs/openapi.json), with the fields that are printed. */
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
  readonly budgets?: readonly Named[] | null;
  readonly refusal: Named | null;
};

const DESTINATIONS: Readonly<Record<string, string>> = {
  api: "the records API: not forwarded to a provider",
  base: "a base URL: the gateway responds itself, not forwarded to a provider",
  not_found: "no route",
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
    ["decision", [decisionOf(explanation)]],
    ["candidates", explanation.candidates.map(candidateOf)],
    ["upstream key", [keyOf(explanation)]],
    ["flags", explanation.flags.map(shown)],
    ["budgets", (explanation.budgets ?? []).map(budgetOf)],
    [
      "undecided",
      undecided === null ? [] : [`${shown(undecided)}: requires the body's SHA-256 (--body, --body-sha256)`],
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

/** null: the check did not run, or there is no value. */
function shown(value: unknown): string {
  return value === null || value === undefined ? "–" : plainText(String(value));
}

function budgetOf(budget: Named): string {
  const { rule, measure, subject_source: source, subject_id: id } = budget;
  const figure = (name: string): string => {
    const value = budget[name];
    if (typeof value !== "number") return "?";
    return measure === "dollars" ? `$${dollars(value)}` : value.toLocaleString("en");
  };
  const whose = id === null ? "" : ` of ${source === null ? "" : `${shown(source)} `}${shown(id)}`;
  return (
    `${shown(rule)}${whose}: ${figure("spent")} spent and ${figure("reserved")} reserved of ${figure("limit")} ` +
    `${measure === "dollars" ? "" : `${shown(measure)} `}until ${shown(budget["resets_at"])}; would reserve ${figure("would_reserve")}`
  );
}

function routeOf({ destination, route }: Explanation): string {
  if (route === null) return DESTINATIONS[destination] ?? shown(destination);
  const { provider, provider_type: type, route: path, kind } = route;
  return `${shown(provider)} (${shown(type)}) ${shown(path)}, ${kind === "intercept" ? "intercepted" : "passed through"}`;
}

function presentedOf({ presented }: Explanation): string[] {
  return Object.entries(presented ?? {}).flatMap(([kind, secret]) =>
    secret ? [`${kind}: ${shown(secret["header"])}, key id ${shown(secret["key_id"])}`] : [],
  );
}

function actorOf({ actor }: Explanation): string {
  if (actor === null) return "–";
  const { id, kind, name, source, verified, key_id: keyId, may_assert: mayAssert } = actor;
  return [
    `${shown(id)}${name === null ? "" : ` "${shown(name)}"`} (${shown(kind)})`,
    `${verified ? "verified" : "not verified"} by ${shown(source)}`,
    `key id ${shown(keyId)}`,
    ...(mayAssert === null ? [] : [mayAssert ? "may assert" : "may not assert"]),
  ].join(", ");
}

function initiatorOf({ initiator }: Explanation): string {
  if (initiator === null) return "–";
  const { id, name, attribution } = initiator;
  return `${styleText("bold", shown(id))}${name === null ? "" : ` "${shown(name)}"`}, ${shown(attribution)}`;
}

function decisionOf({ rule, signature, directory }: Explanation): string {
  return `rule ${shown(rule)} · signature ${shown(signature)} · directory ${shown(directory)}`;
}

function candidateOf({ who, id, rejection_reason: reason }: Named): string {
  const result = reason === null ? styleText("green", "accepted") : `not the initiator: ${shown(reason)}`;
  return `${shown(who)} ${shown(id)} ${result}`;
}

function keyOf({ upstream_key: key }: Explanation): string {
  if (key === null) return "–";
  return key["kind"] === "centralized"
    ? `a central key, in ${shown(key["header"])}`
    : `the client's own key, in ${shown(key["header"])}, key id ${shown(key["key_id"])}`;
}

function refusalOf({ reason, status, message, detail }: Named): string[] {
  return [
    styleText("red", `${shown(status)} ${shown(reason)}`),
    `message to the client: ${shown(message)}`,
    ...(detail === null ? [] : [`detail for the operator: ${shown(detail)}`]),
  ];
}
