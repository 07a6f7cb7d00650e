/**
 * An issuer of signed tokens without a network: its keys, its JWKS, valid tokens made by `jose`, and handcrafted
 * invalid tokens that no library would produce. Runs in Node and in workerd.
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
  /** Header parameters that replace or extend `alg` and `kid`. */
  readonly header?: Readonly<Record<string, unknown>>;
};

export type Issuer = {
  /** Signs with the newest key of the algorithm. */
  sign(claims: Claims, options?: SignOptions): Promise<string>;
  /** Signs a payload unchanged, for payloads that are not a JSON object of claims. */
  signText(payload: string): Promise<string>;
  /** The published public keys, newest last. */
  jwks(): JSONWebKeySet;
  /** Adds and publishes a new key, and signs with it from now on. */
  rotate(alg?: "RS256" | "ES256"): Promise<void>;
  /** Withdraws all keys except the newest from the JWKS. */
  withdraw(): void;
  /** The newest RSA public key in PEM, which an attacker would try as an HMAC secret. */
  publicPem(): Promise<string>;
};

type Key = {
  readonly alg: string;
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
  readonly jwk: JWK;
};

const encoder = new TextEncoder();

/** `name` is the prefix of each `kid`. */
export async function createIssuer(name = "key"): Promise<Issuer> {
  let keys: Key[] = [];
  let keyCount = 0;
  const rotate = async (alg = "RS256"): Promise<void> => {
    const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
    const jwk = { ...(await exportJWK(publicKey)), alg, use: "sig", kid: `${name}-${(keyCount += 1)}` };
    keys.push({ alg, privateKey, publicKey, jwk });
  };
  const newest = (alg: string): Key => {
    const key = keys.findLast((candidate) => candidate.alg === alg);
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

/** Drops header parameters that are `undefined`. */
function withoutUndefined(header: {
  readonly alg: string;
  readonly kid: string | undefined;
}): JWTHeaderParameters {
  const present = Object.entries(header).filter(([, value]) => value !== undefined);
  return { alg: header.alg, ...Object.fromEntries(present) };
}

const segment = (value: unknown): string =>
  base64url.encode(encoder.encode(typeof value === "string" ? value : JSON.stringify(value)));

/** A handcrafted JWT. Header and claims are encoded as JSON, strings unchanged. */
export function craftJwt(header: unknown, claims: unknown, signature: Uint8Array | string = ""): string {
  return `${segment(header)}.${segment(claims)}.${typeof signature === "string" ? signature : base64url.encode(signature)}`;
}

/** A handcrafted JWT, signed with an HMAC by `secret`. */
export async function craftHmacJwt(header: unknown, claims: unknown, secret: string): Promise<string> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", encoder.encode(secret), algorithm, false, ["sign"]);
  const signingInput = `${segment(header)}.${segment(claims)}`;
  const mac = await crypto.subtle.sign("HMAC", key, encoder.encode(signingInput));
  return `${signingInput}.${base64url.encode(new Uint8Array(mac))}`;
}

/** Replaces the claims of a valid token and keeps its signature. */
export function replaceClaims(token: string, claims: unknown): string {
  const [header, , signature] = token.split(".");
  return `${header}.${segment(claims)}.${signature}`;
}
