/** The minimal Worker with Hono: the bare Worker behind one route. */
import { Hono } from "hono";

type Env = { readonly Bindings: { readonly UPSTREAM: string } };

const app = new Hono<Env>();
app.all("*", ({ req, env }) => {
  const { pathname } = new URL(req.url);
  return fetch(new Request(env.UPSTREAM + pathname, req.raw));
});

export default app;
