/** An identity source with its options read, in a world of its own. */
import { Fields } from "../../../src/shared/config-fields.ts";
import type { Secret } from "../../../src/gateway/identity/credential.ts";
import type {
  SourceInstance,
  ConfiguredSource,
  IdentitySource,
} from "../../../src/gateway/identity/identity.ts";
import { sha256Hex } from "../../../src/shared/digest.ts";

/** 2026-11-23T12:00:00.000Z. */
export const NOON = Date.UTC(2026, 10, 23, 12);

export type Given = {
  readonly options?: Readonly<Record<string, unknown>>;
  readonly secrets?: Readonly<Record<string, string>>;
  readonly bindings?: Readonly<Record<string, object>>;
  readonly fetch?: typeof fetch;
};

export type InItsWorld = SourceInstance & {
  readonly asListed: ConfiguredSource;
  readonly problems: readonly string[];
  readonly complaints: readonly string[];
  /** Milliseconds since 1970; moves when told. */
  readonly clock: { at: number };
};

const noFetch: typeof fetch = () => {
  throw new Error("no fetch was expected");
};

export function configure(source: IdentitySource, given: Given = {}): InItsWorld {
  const { options = {}, secrets = {}, bindings = {}, fetch = noFetch } = given;
  const problems: string[] = [];
  const complaints: string[] = [];
  const clock = { at: NOON };
  const problem = (path: string, what: string): void => void problems.push(`${path} ${what}`);
  const fields = new Fields(options, "", (path, what) => problem(path.slice(1), what));
  const configured = source.configure({
    options: fields,
    secret: (name, whether = "needed") => {
      if (secrets[name] === undefined && whether === "needed") problem(name, "is missing");
      return secrets[name] ?? null;
    },
    binding: <T extends object>(name: string, method: keyof T & string): T | null => {
      const found = bindings[name];
      if (found && method in found) return found as T;
      problem(name, "is not bound");
      return null;
    },
    report: problem,
    deps: { fetch, now: () => clock.at, logError: (line) => void complaints.push(line) },
  });
  fields.rejectUnknown();
  return {
    ...configured,
    asListed: { verifies: source.verifies, ...configured },
    problems,
    complaints,
    clock,
  };
}

/** A token with its real digest. */
export async function tokenOf(value: string, from: Secret["from"] = "authorization"): Promise<Secret> {
  return { value, from, sha256: await sha256Hex(value) };
}

/** A fetch that answers by `answer`, and keeps what it was asked. */
export function recordingFetch(answer: (request: Request) => Response | Promise<Response>): {
  readonly fetch: typeof fetch;
  readonly asked: readonly Request[];
  readonly inits: readonly (RequestInit | undefined)[];
} {
  const asked: Request[] = [];
  const inits: (RequestInit | undefined)[] = [];
  return {
    asked,
    inits,
    fetch: async (input, init) => {
      const request = new Request(String(input), init as RequestInit);
      asked.push(request);
      inits.push(init as RequestInit | undefined);
      const { signal } = request;
      const aborted = new Promise<never>((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
      });
      return Promise.race([Promise.resolve(answer(request)), aborted]);
    },
  };
}
