/**
 * Azure OpenAI, in Microsoft Foundry too: OpenAI's API under `/openai/v1`, and the older one of dated versions
 * (`?api-version=`), whose model calls have a deployment in the path.
 * https://learn.microsoft.com/azure/foundry/openai/latest, https://learn.microsoft.com/azure/foundry/openai/reference
 */
import { openai } from "../openai/dialect.ts";
import { openaiHeaders } from "../openai/forwarded-headers.ts";
import type { Dialect, DialectRoute } from "../provider.ts";

const under = (prefix: string, route: DialectRoute): DialectRoute => ({
  ...route,
  path: `${prefix}${route.path}`,
});

/** The model calls of a deployment. */
const DEPLOYED: ReadonlySet<string> = new Set([
  "/chat/completions",
  "/completions",
  "/embeddings",
  "/images/generations",
  "/images/edits",
  "/audio/speech",
  "/audio/transcriptions",
  "/audio/translations",
]);
/** The routes of dated versions that belong to the resource: a response's body names its deployment. */
const OF_RESOURCE = /^\/(?:responses|models|files|batches)(?:\/|$)/;

const deployed = (route: DialectRoute): DialectRoute[] =>
  route.kind === "intercept" && DEPLOYED.has(route.path)
    ? [{ ...route, path: `/deployments/{deployment}${route.path}`, modelInPath: true }]
    : [];

export const azure: Dialect = {
  ...openai,
  type: "azure",
  mount: "/openai",
  routes: [
    ...openai.routes.map((route) => under("/v1", route)),
    ...openai.routes.flatMap(deployed),
    ...openai.routes.filter(({ path }) => OF_RESOURCE.test(path)),
  ],
  retrievals: openai.retrievals.map((retrieval) => ({
    ...retrieval,
    path: new RegExp(retrieval.path.source.replace("^", String.raw`^(?:\/v1)?`)),
  })),
  distinguishingHeaders: [],
  // Of 32 hexadecimal digits, or of 84 letters and digits.
  keyForm: /^(?:[\da-f]{32}|[A-Za-z\d]{84})$/,
  // With the client's id of the request, for the provider's support. An organization or a project of OpenAI means nothing here.
  forwardedHeaders: { always: [...openaiHeaders.always, "x-ms-client-request-id"], withOwnKey: [] },
  keyHeader: (key) => ["api-key", key],
  // A token of Entra ID is a bearer token. Under /openai/v1 a key may be one too.
  ownKeyHeader: (key, from) => (from === "authorization" ? [from, `Bearer ${key}`] : ["api-key", key]),
};
