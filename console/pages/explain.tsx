/** A form over `POST /explain`, which says what would happen to a request, and the command that does the same. */
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { ApiError, post } from "../api/client.ts";
import type { Posts } from "../api/schema.ts";
import { Page } from "../app/page.tsx";
import { useSession } from "../app/session.tsx";
import { Command, GATEWAY } from "../parts/command.tsx";
import { Elsewhere, isElsewhere } from "../parts/elsewhere.tsx";
import { Failure } from "../parts/states.tsx";
import { Explanation } from "./explanation.tsx";

type Input = Posts["/explain"]["body"];
type Result = Posts["/explain"]["response"];

const EXAMPLE_PATH = "/team-openai/v1/chat/completions";
const KEY_PLACEHOLDER = "<client key>";
const EXAMPLE_HEADERS = `User-Agent: coder-agents/v2.30.0
X-Coder-Owner-Id: 5f0c1d2e-3a4b-4c5d-8e6f-708192a3b4c5
Authorization: Bearer ${KEY_PLACEHOLDER}`;

export function Explain(): VNode {
  const { csrf_token: csrf } = useSession();
  const [input, setInput] = useState<Input | null>(null);
  const [result, setResult] = useState<Result | ApiError | null>(null);
  const [issue, setIssue] = useState<string | null>(null);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const read = readForm(new FormData(event.currentTarget as HTMLFormElement));
    setIssue(typeof read === "string" ? read : null);
    if (typeof read === "string") return;
    setInput(read);
    try {
      setResult(await post("/explain", read, csrf));
    } catch (error) {
      setResult(error instanceof ApiError ? error : new ApiError(String(error), { status: 0 }));
    }
  };
  const failure = result instanceof ApiError ? result : null;
  const isNotHere = isElsewhere(failure);
  return (
    <Page
      title="Explain"
      about="Describes what would happen to a request: on whose account, by which rule, and which budgets. Nothing is forwarded and nothing is recorded."
    >
      <form class="card explain" onSubmit={submit}>
        <RequestFields issue={issue} />
        <button type="submit" class="primary">
          Explain
        </button>
      </form>
      <div aria-live="polite">
        {isNotHere && <Elsewhere what="can decide about a request" />}
        {failure !== null && !isNotHere && <Failure error={failure} title="Could not explain the request." />}
        {result !== null && !(result instanceof ApiError) && <Explanation result={result} />}
        {input !== null && (
          <>
            <h2>The same as a command</h2>
            <Command text={commandOf(input, isNotHere ? GATEWAY : location.origin)} label="Command" />
          </>
        )}
      </div>
    </Page>
  );
}

function RequestFields({ issue }: { readonly issue: string | null }): VNode {
  return (
    <>
      <div class="fields">
        <label>
          Method
          <input name="method" defaultValue="POST" maxLength={16} required />
        </label>
        <label class="wide">
          Path
          <input name="path" defaultValue={EXAMPLE_PATH} required spellcheck={false} />
        </label>
      </div>
      <label for="headers">Headers, one per line</label>
      <textarea
        id="headers"
        name="headers"
        rows={5}
        spellcheck={false}
        autocomplete="off"
        defaultValue={EXAMPLE_HEADERS}
        aria-describedby="headers-issue"
        aria-invalid={issue !== null}
      />
      <p id="headers-issue" class="error-text" role="alert">
        {issue}
      </p>
      <div class="fields">
        <label>
          Model, for budgets
          <input name="model" spellcheck={false} />
        </label>
        <label>
          Body in bytes
          <input name="body_bytes" type="number" min="0" step="1" />
        </label>
        <label>
          Limit of output tokens
          <input name="output_limit" type="number" min="0" step="1" />
        </label>
      </div>
    </>
  );
}

/** The request that the form describes, or one sentence that says what is wrong. */
function readForm(form: FormData): Input | string {
  const text = (name: string): string => String(form.get(name) ?? "").trim();
  const headers: [string, string][] = [];
  for (const [at, line] of text("headers").split(/\r?\n/).entries()) {
    if (line.trim() === "") continue;
    const colon = line.indexOf(":");
    if (colon < 1) return `Line ${at + 1} of the headers is not of the form "Name: value".`;
    headers.push([line.slice(0, colon).trim(), line.slice(colon + 1).trim()]);
  }
  if (text("headers").includes(KEY_PLACEHOLDER))
    return `Replace ${KEY_PLACEHOLDER} with a key, or remove the header.`;
  const number = (name: "body_bytes" | "output_limit"): Partial<Input> =>
    text(name) === "" ? {} : { [name]: Number(text(name)) };
  if (text("model") === "" && text("body_bytes") + text("output_limit") !== "")
    return "Budgets need the model together with the size of the body or the limit of output tokens.";
  return {
    method: text("method").toUpperCase(),
    path: text("path"),
    headers,
    ...(text("model") === "" ? {} : { model: text("model") }),
    ...number("body_bytes"),
    ...number("output_limit"),
  };
}

/** In single quotes of a POSIX shell nothing has a meaning but the quote itself. */
const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;

/** The headers come by standard input, so that credentials do not stand in the arguments of a process. */
function commandOf(input: Input, url: string): string {
  const { method, path, model, body_bytes: bytes, output_limit: limit } = input;
  const lines = input.headers as readonly (readonly [string, string])[];
  const options = [
    ["url", url],
    ["method", method ?? "POST"],
    ["path", path],
    ["model", model],
    ["body-bytes", bytes],
    ["output-limit", limit],
  ].flatMap(([name, value]) => (value === undefined ? [] : [`--${name} ${quoted(String(value))}`]));
  return [
    `npm run -s explain -- ${options.join(" ")} --header @- <<'END'`,
    ...lines.map(([name, value]) => `${name}: ${value}`),
    "END",
  ].join("\n");
}
