/** The console's settings, as the config layer has validated them. */
import type { Scopes } from "../../shared/scopes.ts";
import type { TokenOptions } from "../../shared/tokens/signed-token.ts";

/** An admin token by its SHA-256, 64 lower-case hex digits. Two entries can have one name, during a rotation. */
export type NamedToken = { readonly name: string; readonly sha256: string; readonly scopes: Scopes };

/** Which claims of a verified token say who signs in, and which roles they have. */
export type PersonClaims = {
  readonly name: string;
  /** A dot separates the names of nested claims: `custom.groups`. */
  readonly role: string;
};

export type AccessSettings = PersonClaims & { readonly token: TokenOptions };

export type OidcSettings = PersonClaims & {
  readonly token: TokenOptions;
  readonly clientId: string;
  /** null: a public client, which PKCE alone protects. */
  readonly clientSecret: string | null;
  readonly authorizationUrl: string;
  readonly tokenUrl: string;
  /** Of the authorization request, with `openid`. */
  readonly scope: string;
};

export type ConsoleSettings = {
  /** The exact origins that serve the console; none: it is off. */
  readonly origins: readonly string[];
  /** Whether an admin token can be exchanged for a session. */
  readonly tokenSignIn: boolean;
  readonly tokens: readonly NamedToken[];
  /** A value of the role claim → its scopes. `*`: everyone who signs in. */
  readonly roles: ReadonlyMap<string, Scopes>;
  /** Milliseconds without a request after which a session ends. */
  readonly idleMs: number;
  /** Milliseconds after which a session ends in any case. */
  readonly maxMs: number;
  readonly access: AccessSettings | null;
  readonly oidc: OidcSettings | null;
};
