/**
 * The contract of a provider's type, its API dialect. One file per dialect implements it; `wiring.ts` lists them.
 */
import type { ResponseReader, ContentOptions } from "./response-reader.ts";
import type { Conversation } from "./conversation.ts";
import type { JsonObject } from "../../shared/json.ts";

/** A configured upstream: a name, a type, and the network place its type's routes hang under. */
export type Provider = {
  readonly name: string;
  readonly dialect: Dialect;
  /** Without a slash at its end. */
  readonly baseUrl: string;
  /** Central keys. Empty: the client's own provider key is forwarded. */
  readonly keys: readonly string[];
  /** Ask for usage where the client did not (see `splice.ts`). */
  readonly injectUsage: boolean;
  /** Forward `X-Coder-*`: only for an upstream that is Coder itself. */
  readonly coderHeaders: boolean;
  /** The models that may be asked for, exactly as written; null allows all, an empty list none. */
  readonly models: readonly string[] | null;
};

/** `intercept`: parsed, observed, recorded · `passthrough`: forwarded and counted. */
export type DialectRoute =
  | { readonly kind: "intercept"; readonly path: string; readonly api: Api }
  | {
      readonly kind: "passthrough";
      readonly path: string;
      /** Also takes whatever stands below `path`. */
      readonly below: boolean;
      /**
       * Whether a POST here has a model do something, so that the provider's list of models holds for it too: `named`,
       * the one that the body names; `hidden`, one that cannot be seen there, so that none counts as allowed.
       */
      readonly runsModel: "no" | "named" | "hidden";
    };

/** One intercepted API: what its requests and answers tell, and whether its streams must be asked for usage. */
export type Api = {
  readonly name: string;
  /** Reads a request's parsed body; never throws. */
  readonly readConversation: (fields: JsonObject) => Conversation;
  readonly createReader: (keep: ContentOptions) => ResponseReader;
  /**
   * Where streams report usage only with `stream_options.include_usage`: tells by an event's data that it holds nothing
   * but that usage. null where usage is always reported.
   */
  readonly isUsageOnly: ((data: string) => boolean) | null;
};

export type Dialect = {
  readonly type: string;
  /** Where the routes hang below the provider's name in our own paths: the part of the URL that is not in `base_url`. */
  readonly mount: string;
  readonly routes: readonly DialectRoute[];
  /** Headers by which a root path that two dialects share is known to be this one's. */
  readonly distinguishingHeaders: readonly string[];
  /** The header in which the provider wants its central key. */
  readonly keyHeader: (key: string) => readonly [name: string, value: string];
  /** The header in which the client's own provider key goes on, given the one it came in. */
  readonly ownKeyHeader: (
    key: string,
    from: "authorization" | "x-api-key",
  ) => readonly [name: string, value: string];
  /** An error body as this API's clients expect it. */
  readonly errorBody: (error: {
    status: number;
    message: string;
    code: string;
    param: string | null;
    interceptionId: string;
  }) => unknown;
};
