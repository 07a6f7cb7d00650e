/**
 * The user endpoints of a Coder deployment on 127.0.0.1: `GET /api/v2/users/me` and `/api/v2/users/{id or name}`, with
 * the documented shapes and statuses.
 *
 *     const coder = await startFakeCoder();
 *     const token = coder.addUser({ username: "alice" });
 *     …
 *     coder.revoke(token);
 */
import { randomBytes, randomUUID } from "node:crypto";
import { startBackend, type BackendRequest, type Backend, type Reply } from "./backend.ts";

export type CoderUser = {
  readonly id: string;
  readonly username: string;
  readonly name: string;
  readonly email: string;
  readonly status: string;
  readonly login_type: string;
  readonly organization_ids: readonly string[];
  readonly roles: readonly { readonly name: string }[];
  readonly is_service_account: boolean;
};

export type FakeCoder = Backend & {
  /** Adds a user and returns its token. */
  addUser(over?: Partial<CoderUser>, token?: string): string;
  user(token: string): CoderUser;
  changeUser(token: string, over: Partial<CoderUser>): void;
  revoke(token: string): void;
};

/** A token in Coder's format, which belongs to no user until `addUser` gets it. */
export function coderToken(): string {
  const letters = randomBytes(64).toString("base64").replace(/[+/=]/g, "0");
  return `${letters.slice(0, 10)}-${letters.slice(10, 32)}`;
}

export async function startFakeCoder(port?: number): Promise<FakeCoder> {
  const users = new Map<string, CoderUser>();
  const backend = await startBackend(async (request) => reply(request, users), port);
  const user = (token: string): CoderUser => {
    const owner = users.get(token);
    if (!owner) throw new Error("there is no such token");
    return owner;
  };
  return {
    ...backend,
    addUser: (over = {}, token = coderToken()) => {
      users.set(token, { ...newUser(users.size), ...over });
      return token;
    },
    user,
    changeUser: (token, over) => void users.set(token, { ...user(token), ...over }),
    revoke: (token) => void users.delete(token),
  };
}

function newUser(count: number): CoderUser {
  const username = `user-${count}`;
  return {
    id: randomUUID(),
    username,
    name: `User ${count}`,
    email: `${username}@example.com`,
    status: "active",
    login_type: "password",
    organization_ids: [randomUUID()],
    roles: [{ name: "member" }],
    is_service_account: false,
  };
}

const BAD_KEY: Reply = [401, { message: "You are signed out or your session has expired." }];

function reply({ method, path, headers }: BackendRequest, users: ReadonlyMap<string, CoderUser>): Reply {
  // The target of a redirect accepts every request, so a client that follows redirects gets an identity here.
  if (path === "/redirected") return [200, { ...newUser(0), username: "redirected" }];
  const token = headers["coder-session-token"];
  const caller = typeof token === "string" ? users.get(token) : undefined;
  if (!caller) return BAD_KEY;
  // A session's key, or a token's without further limits.
  if (path === `/api/v2/users/me/keys/${token?.slice(0, 10)}`)
    return [
      200,
      {
        id: path.slice(-10),
        user_id: caller.id,
        scope: "all",
        scopes: ["coder:all"],
        allow_list: [{ type: "*", id: "*" }],
      },
    ];
  const wanted = /^\/api\/v2\/users\/([\w-]+)$/.exec(path)?.[1];
  if (method !== "GET" || wanted === undefined) return [404, { message: "Route not found." }];
  if (wanted === "me") return [200, caller];
  const user = [...users.values()].find(({ id, username }) => id === wanted || username === wanted);
  return user
    ? [200, user]
    : [404, { message: "Resource not found or you do not have access to this resource" }];
}
