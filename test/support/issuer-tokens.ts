/**
 * An issuer of signed tokens without a network: keys, the set it would publish, good tokens by `jose`, and bad ones by
 * hand, as no library would make them. Runs in Node and in workerd.
 */
import {
  base64url,
  CompactSign,
  exportJWK,
  exportSPKI,
  generateKeyPair,
  SignJWT,
  type JSONWebKeySet,
  type JWK,
  type JWTHeaderParameters,
} from "jose";

export type Claims = Readonly<Record<string, unknown>>;

export type SignOptions = {
  readonly alg?: "RS256" | "ES256";
  /** Instead of, or beside, `alg` and `kid`. */
  readonly header?: Readonly<Record<string, unknown>>;
};

export type Issuer = {
  /** Signed with the newest key of its algorithm. */
  sign(claims: Claims, options?: SignOptions): Promise<string>;
  /** Signs a payload as it stands: what no claims can be. */
  signText(payload: string): Promise<string>;
  /** The public keys, newest last, as the issuer publishes them. */
  jwks(): JSONWebKeySet;
  /** A new key, published beside the old ones, with which it signs from now on. */
  rotate(alg?: "RS256" | "ES256"): Promise<void>;
  /** Publishes none of its keys any more but the newest. */
  withdraw(): void;
  /** The newest RSA key in PEM: what an attacker takes for an HMAC secret. */
  publicPem(): Promise<string>;
};

type Key = {
  readonly alg: string;
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
  readonly jwk: JWK;
};

const encoder = new TextEncoder();

/** `name` begins each `kid`. */
export async function createIssuer(name = "key"): Promise<Issuer> {
  let keys: Key[] = [];
  let made = 0;
  const rotate = async (alg = "RS256"): Promise<void> => {
    const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
    const jwk = { ...(await exportJWK(publicKey)), alg, use: "sig", kid: `${name}-${(made += 1)}` };
    keys.push({ alg, privateKey, publicKey, jwk });
  };
  const newest = (alg: string): Key => {
    const key = keys.findLast((one) => one.alg === alg);
    if (!key) throw new Error(`the issuer has no key for ${alg}`);
    return key;
  };
  await rotate("RS256");
  await rotate("ES256");
  return {
    sign: async (claims, { alg = "RS256", header = {} } = {}) => {
      const { privateKey, jwk } = newest(alg);
      const protectedHeader = { alg, kid: jwk.kid, typ: "JWT", ...header };
      return new SignJWT({ ...claims })
        .setProtectedHeader(withoutUndefined(protectedHeader))
        .sign(privateKey);
    },
    signText: async (payload) => {
      const { alg, privateKey, jwk } = newest("RS256");
      const header = { alg, ...(jwk.kid !== undefined && { kid: jwk.kid }) };
      return new CompactSign(encoder.encode(payload)).setProtectedHeader(header).sign(privateKey);
    },
    jwks: () => ({ keys: keys.map(({ jwk }) => jwk) }),
    rotate,
    withdraw: () => void (keys = keys.slice(-1)),
    publicPem: () => exportSPKI(newest("RS256").publicKey),
  };
}

/** A header that is `undefined` is one that is not there. */
function withoutUndefined(header: {
  readonly alg: string;
  readonly kid: string | undefined;
}): JWTHeaderParameters {
  const there = Object.entries(header).filter(([, value]) => value !== undefined);
  return { alg: header.alg, ...Object.fromEntries(there) };
}

const part = (value: unknown): string =>
  base64url.encode(encoder.encode(typeof value === "string" ? value : JSON.stringify(value)));

/** A token by hand: header and claims as JSON, or as the texts they are given as. */
export function craftJwt(header: unknown, claims: unknown, signature: Uint8Array | string = ""): string {
  return `${part(header)}.${part(claims)}.${typeof signature === "string" ? signature : base64url.encode(signature)}`;
}

/** The same, with an HMAC over it by this secret. */
export async function craftHmacJwt(header: unknown, claims: unknown, secret: string): Promise<string> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", encoder.encode(secret), algorithm, false, ["sign"]);
  const signed = `${part(header)}.${part(claims)}`;
  const mac = await crypto.subtle.sign("HMAC", key, encoder.encode(signed));
  return `${signed}.${base64url.encode(new Uint8Array(mac))}`;
}

/** A good token with other claims under its signature. */
export function replaceClaims(token: string, claims: unknown): string {
  const [header, , signature] = token.split(".");
  return `${header}.${part(claims)}.${signature}`;
}
