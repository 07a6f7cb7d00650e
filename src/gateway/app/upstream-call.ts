/** The values of a call to the provider: the request as it was decided, the body on its way, and the result. */
import type { Caller, ProviderHeaderFacts } from "../../events/compose.ts";
import type { NamedHeaders } from "../../shared/http/named-headers.ts";
import type { Target } from "../../shared/http/target.ts";
import type { Route } from "../provider/route.ts";
import type { UpstreamCredential } from "../upstream/provider-key.ts";
import type { Forwarded, UpstreamBody } from "../upstream/forward.ts";
import type { Ownership } from "./object-owners.ts";
import type { BodySource } from "./sent-body.ts";
import type { OptIn } from "./usage-opt-in.ts";

/** A request whose caller is known: everything that forwarding needs. */
export type Forwardable = {
  readonly target: Target;
  readonly route: Route;
  readonly caller: Caller;
  /** The initiator's user name; null where it is not known. */
  readonly initiatorName: string | null;
  /** The accepted owner; null where none was. */
  readonly acceptedOwner: string | null;
  readonly credential: UpstreamCredential;
  /** null where the provider does not check the owners of its objects. */
  readonly ownership: Ownership | null;
};

/** The end of the call: the response that may be passed on or why there is none, and the headers that are recorded. */
export type UpstreamResult = {
  readonly response: Forwarded;
  readonly providerHeaders: ProviderHeaderFacts;
  /** The response's headers, where they were read. */
  readonly received?: NamedHeaders;
  /** The provider was not called: the client had disconnected, or the gateway could not send the call. */
  readonly isUnsent?: boolean;
  /** The ids of the objects that the response names, where it was read for them. */
  readonly objectIds?: readonly string[];
  /** The provider says that the key is not valid for any request. */
  readonly isKeyInvalid?: boolean;
  /** Of a request that may be sent more than once. */
  readonly attempts?: AttemptSums;
  /** The provider that responded, and the model that it was sent; absent for the route's, with the client's body. */
  readonly served?: CallTarget;
};

/** A body on its way to the provider. The call takes it out, so that nothing holds it once the headers have arrived. */
export type Outgoing = {
  body: UpstreamBody;
  /** Whether the client sent the body compressed. */
  readonly isDecoded: boolean;
  /** The usage opt-in in the body; null where the request has none. */
  readonly optIn: OptIn | null;
  /** The body of a model call as the client sent it, until the headers have arrived; null of others. */
  source: BodySource | null;
  /** The model that the client named; null where the body is not read before it is sent. */
  readonly model: string | null;
  /** The model's id for the provider, in place of the client's name for it; null where the client's is sent. */
  sentModel: string | null;
  /** Where the call may go if the provider fails, in their order. */
  fallbacks: readonly CallTarget[];
};

/** A provider that a call may be sent to: its route, the gateway's key for it, and its id of the model. */
export type CallTarget = Pick<Forwardable, "target" | "route" | "credential"> & {
  readonly sentModel: string | null;
};

/** The figures about attempts that the accounting needs. */
export type AttemptSums = {
  /**
   * The providers of the attempts that were followed by another one and may have cost something: a connection that was lost
   * later, status 524.
   */
  readonly lost: readonly string[];
  /** When the last attempt was sent, in milliseconds since 1970. */
  readonly sentAt: number;
};
