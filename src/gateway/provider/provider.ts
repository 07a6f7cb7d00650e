/** The contract of a dialect, an AI API's wire protocol. One folder per dialect implements it; `wiring.ts` lists them. */
import type { JsonObject } from "../../shared/json.ts";
import type { RateFacts } from "../../shared/refusal.ts";
import type { ResponseReader, ContentOptions } from "./response-reader.ts";
import type { ConversationRules } from "./conversation.ts";
import type { ForwardedHeaders } from "./forwarded-headers.ts";
import type { KnownKeys } from "./known-keys.ts";

/** A configured AI API: its name, its dialect, and the base URL of its upstream. */
export type Provider = {
  readonly name: string;
  readonly dialect: Dialect;
  /** Without a trailing slash. */
  readonly baseUrl: string;
  /** Central keys. If the list is empty, the client's own provider key is forwarded. */
  readonly keys: readonly CentralKey[];
  /** The header in which the provider expects a key; null: as the dialect says. */
  readonly keyHeader: KeyHeader | null;
  /** Sent beside a central key: they name the account that it is used for, such as a workspace. */
  readonly accountHeaders: readonly (readonly [name: string, value: string])[];
  /** Add the usage opt-in to requests without it (see `inject-usage.ts`). */
  readonly injectUsage: boolean;
  /** Forward `X-Coder-*` headers. For an upstream that is Coder itself. */
  readonly coderHeaders: boolean;
  /** Further request headers to forward, in the form of the dialect's. */
  readonly forwardHeaders: readonly string[];
  /** Who may use the provider's stored objects. */
  readonly objects: ObjectRules;
  /** The allow-list of models, compared exactly. null allows all; an empty list allows no model. */
  readonly models: readonly string[] | null;
  /** Also hide the other models from lists of models. */
  readonly filterModels: boolean;
  /** The provider's own Cache-Control is passed on. */
  readonly keepsCache: boolean;
  /** How often a request is retried. Another key is tried without it. */
  readonly retries: RetryRules;
  /** How long an attempt waits for the headers of its response, in milliseconds; null: as long as any. */
  readonly headersMs: number | null;
  /** When the provider is not called for a while; null: it is always called. */
  readonly breaker: BreakerRules | null;
  /** The calls that an isolate may have open; null: any number. */
  readonly concurrency: ConcurrencyRules | null;
  /** The providers that are called in its place, in their order, where it fails: their names. */
  readonly fallbacks: readonly string[];
  /** The names by which the provider knows models, by those that clients send. */
  readonly modelIds: ReadonlyMap<string, string>;
  /** The upstream is Cloudflare AI Gateway; null: it is not. */
  readonly aiGateway: AiGateway | null;
  /** Name the initiator in Coder's actor headers (upstream/caller-headers.ts). */
  readonly actorHeaders: boolean;
};

export type BreakerRules = {
  /** The consecutive failures of a route and model that open its circuit. */
  readonly failures: number;
  /** Failures further apart do not follow each other. */
  readonly intervalMs: number;
  /** How long no request is sent. */
  readonly openMs: number;
  /** The requests that try the provider after that, and must succeed before others follow. */
  readonly trials: number;
};

export type ConcurrencyRules = {
  readonly max: number;
  /** How long a call above it waits for the end of another one. */
  readonly waitMs: number;
};

/** Cloudflare AI Gateway between this gateway and the provider. */
export type AiGateway = {
  /** Authenticates this gateway there; null where it accepts requests without a token. */
  readonly token: string | null;
  /** Send the caller in `cf-aig-metadata`. */
  readonly metadata: boolean;
};

/** A credential of the gateway for a provider. */
export type CentralKey = { readonly kind: "key"; readonly value: string } | AwsKey | EntraKey;

/** An access key of AWS, which signs each request (Signature Version 4). */
export type AwsKey = {
  readonly kind: "aws";
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Of temporary credentials; null for an access key that does not expire. */
  readonly sessionToken: string | null;
  readonly region: string;
  readonly service: string;
};

/** An application of Microsoft Entra ID, with whose secret the gateway fetches access tokens. */
export type EntraKey = {
  readonly kind: "entra";
  readonly tenantId: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly scope: string;
  /** A URL without a trailing slash. */
  readonly authority: string;
};

export type RetryRules = {
  /** The attempts of a request at most, the first included, without those with another key. 1: no request is retried. */
  readonly attempts: number;
  /** No retry begins later than this after the first attempt. An attempt with another key at once may. */
  readonly deadlineMs: number;
  /** The wait before the first retry is random, up to this; it doubles with each retry. */
  readonly waitMs: number;
  /**
   * The failed attempts that are retried: those that ran nothing; with an idempotency key that the provider honours, also those
   * that may have run; or all.
   */
  readonly retryOn: "not_run" | "idempotent" | "any";
};

/** The use of a stored object of the provider: a file, a batch, a response, a conversation, a model. */
export type ObjectAction = "read" | "write" | "delete";

/** null: the default of `policy/objects.ts`. A list permits the actors that match one of its rules. */
export type ObjectRules = Readonly<Record<ObjectAction, "on" | "off" | readonly ObjectRule[] | null>> & {
  /** An object is its creator's: only that initiator may use it, and the actors in the lists above. */
  readonly owners?: "check";
};

/** Matches an actor in all the points that are not null. */
export type ObjectRule = {
  readonly source: string | null;
  readonly kind: "user" | "service" | null;
  readonly actor: string | null;
  /** A claim of the actor's token, and the values of which it must have one. */
  readonly claim: readonly [name: string, values: readonly string[]] | null;
};

/**
 * Whether a request with a body runs a model, so that the provider's allow-list of models applies. `named`: the body names the model.
 * `hidden`: the body does not show it, so the request is allowed only without an allow-list.
 */
export type RunsModel = "no" | "named" | "hidden";

/** `intercept` routes are parsed, observed and recorded; `passthrough` routes are forwarded and recorded. */
export type DialectRoute =
  | {
      readonly kind: "intercept";
      readonly path: string;
      readonly api: Api;
      /** One segment of `path` is a name in braces. It stands for the model, which then decides before that of the body. */
      readonly modelInPath?: boolean;
      readonly isProbe?: false;
    }
  | {
      readonly kind: "passthrough";
      readonly path: string;
      /** Also matches paths below `path`. */
      readonly below: boolean;
      readonly runsModel: RunsModel;
      /** The provider charges nothing for it, such as for counting tokens. */
      readonly isFree?: boolean;
      /** The paths below are stored objects. `listed`: any key of the account can list those of all its users. */
      readonly objects?: "listed" | "by_id";
      /** Members of an object's JSON that name further objects, which belong to the same owner. */
      readonly objectNames?: readonly string[];
      /** A POST to the path itself is a model call: it creates a batch. */
      readonly creates?: Api;
      /** Lists the provider's models; a path below it names one of them. */
      readonly listsModels?: boolean;
      /** The gateway responds to HEAD itself, without a credential: clients check with it that a gateway is there. */
      readonly isProbe?: boolean;
    };

/** One intercepted API: how to read its requests and responses, and whether its streams need the usage opt-in. */
export type Api = {
  /** The fields of a request that the gateway or the provider reads: each may occur once, in its one spelling. */
  readonly requestFields: KnownKeys;
  readonly conversation: ConversationRules;
  readonly createReader: (keep: ContentOptions) => ResponseReader;
  /**
   * For an API whose streams report usage only with `stream_options.include_usage`: whether an event's data contains
   * only that usage. null if the API always reports usage.
   */
  readonly isUsageOnly: ((data: string) => boolean) | null;
  /** The fields of a request that limit the tokens of the output; none where the API has no such field. */
  readonly outputLimits?: readonly string[];
  /** The provider stores what the call creates: the response's id names it. */
  readonly createsObject?: boolean;
  /** A request may be a multipart form, which names its model in a field. */
  readonly acceptsForms?: boolean;
  /** A request's body is forwarded unread: it is too large to be held, and names its models inside. */
  readonly isUnread?: boolean;
};

/** A GET that returns results of earlier model calls, whose usage is recorded. */
export type Retrieval = UsageRetrieval | BatchRetrieval;

/** A GET request whose response has the usage of earlier calls. */
export type UsageRetrieval = {
  readonly reads: "usage";
  /** Matches the path below the mount. Its first group is the id of the response, of the batch or of the results' file. */
  readonly path: RegExp;
  /** Reads one line of a body with a result per line; null where the body is one response. */
  readonly readLine: ((line: JsonObject) => BatchResult | null) | null;
  readonly createReader: (keep: ContentOptions) => ResponseReader;
};

/** A GET request whose response names the files that hold the results of batches. */
export type BatchRetrieval = {
  readonly reads: "batches";
  /** Matches the path below the mount. */
  readonly path: RegExp;
  readonly readBatches: (body: unknown) => readonly BatchFile[];
};

/** The provider's ids of a batch and of the file with its results. */
export type BatchFile = { readonly batchId: string; readonly fileId: string };

/** A result of a batch. `response`: the body of the response, as the API would have sent it. */
export type BatchResult = { readonly customId: unknown; readonly response: unknown };

/** The headers in which the SDKs of OpenAI, Anthropic, Azure and Google send a key. */
export type KeyHeader = "authorization" | "x-api-key" | "api-key" | "x-goog-api-key";

export type Dialect = {
  readonly type: string;
  /** The path between the provider's name and the routes in gateway URLs; `base_url` includes it on the upstream side. */
  readonly mount: string;
  /** Paths that stand for `mount` after a provider's name: base URLs of clients for other clouds end in them. */
  readonly aliases?: readonly string[];
  readonly routes: readonly DialectRoute[];
  readonly retrievals: readonly Retrieval[];
  /** The key of a tool call's arguments, where they are an object and not a text: they are the client's own data. */
  readonly toolArguments?: KnownKeys;
  /**
   * Headers whose presence selects this dialect for a root path that several dialects have. The form of the key (`keyForm`)
   * precedes all but the first.
   */
  readonly distinguishingHeaders: readonly string[];
  /** The form of the API's own keys. */
  readonly keyForm: RegExp;
  /** The client's headers that reach the provider. */
  readonly forwardedHeaders: ForwardedHeaders;
  /** The header that carries a central key to the provider. */
  readonly keyHeader: (key: string) => readonly [name: string, value: string];
  /** The header that carries the client's own provider key, given the header in which the client sent it. */
  readonly ownKeyHeader: (key: string, from: KeyHeader) => readonly [name: string, value: string];
  /** The headers in which the API's clients expect a rate limit, for a refusal of the gateway's own. */
  readonly rateLimitHeaders: (rate: RateFacts) => readonly (readonly [name: string, value: string])[];
  /** An error body in the form that the API's clients expect. */
  readonly errorBody: (error: {
    status: number;
    message: string;
    code: string;
    param: string | null;
    interceptionId: string;
  }) => unknown;
};
