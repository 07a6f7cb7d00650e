/** Configures an identity source with test options, secrets, bindings, fetch and clock. */
import type { OperatorEvent } from "../../../src/shared/operator-log.ts";
import type { Secret } from "../../../src/gateway/identity/credential.ts";
import type {
  ConfiguredSource,
  IdentitySource,
  SourceInstance,
} from "../../../src/gateway/identity/identity.ts";
import { Fields } from "../../../src/shared/config/fields.ts";
import { sha256Hex } from "../../../src/shared/digest.ts";

/** 2026-11-23T12:00:00.000Z. */
export const NOON = Date.UTC(2026, 10, 23, 12);

export type SourceInputs = {
  readonly options?: Readonly<Record<string, unknown>>;
  readonly secrets?: Readonly<Record<string, string>>;
  readonly bindings?: Readonly<Record<string, object>>;
  readonly fetch?: typeof fetch;
};

export type TestSource = SourceInstance & {
  /** The source as the configuration lists it. */
  readonly listed: ConfiguredSource;
  readonly issues: readonly string[];
  readonly operatorErrors: readonly OperatorEvent[];
  /** Milliseconds since 1970. It moves only when a test sets it. */
  readonly clock: { at: number };
};

const noFetch: typeof fetch = () => {
  throw new Error("no fetch was expected");
};

export function configure(source: IdentitySource, inputs: SourceInputs = {}): TestSource {
  const { options = {}, secrets = {}, bindings = {}, fetch = noFetch } = inputs;
  const issues: string[] = [];
  const operatorErrors: OperatorEvent[] = [];
  const clock = { at: NOON };
  const report = (path: string, issue: string): void => void issues.push(`${path} ${issue}`);
  const fields = new Fields(options, "", (path, issue) => report(path.slice(1), issue));
  const instance = source.configure({
    options: fields,
    secret: (name, need = "needed") => {
      if (secrets[name] === undefined && need === "needed") report(name, "is required");
      return secrets[name] ?? null;
    },
    binding: <T extends object>(name: string, method: keyof T & string): T | null => {
      const binding = bindings[name];
      if (binding && method in binding) return binding as T;
      report(name, "must be bound");
      return null;
    },
    report,
    deps: { fetch, now: () => clock.at, logError: (event) => void operatorErrors.push(event) },
  });
  fields.rejectUnknown();
  return { ...instance, listed: { verifies: source.verifies, ...instance }, issues, operatorErrors, clock };
}

/** A secret with its real digest. */
export async function secretOf(value: string, from: Secret["from"] = "authorization"): Promise<Secret> {
  return { value, from, sha256: await sha256Hex(value) };
}

export type Respond = (request: Request) => Promise<Response>;

/** A fetch that responds with `respond`, rejects when it is aborted, and records its requests. */
export function recordingFetch(respond: Respond): {
  readonly fetch: typeof fetch;
  readonly requests: readonly Request[];
  readonly inits: readonly (RequestInit | undefined)[];
} {
  const requests: Request[] = [];
  const inits: (RequestInit | undefined)[] = [];
  return {
    requests,
    inits,
    fetch: async (input, init) => {
      const request = new Request(String(input), init as RequestInit);
      requests.push(request);
      inits.push(init as RequestInit | undefined);
      const { signal } = request;
      const aborted = new Promise<never>((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
      });
      return Promise.race([respond(request), aborted]);
    },
  };
}
