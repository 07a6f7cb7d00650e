/**
 * Forwarders between the bare Worker and the interceptor, each doing one thing more than the one before: what any Worker
 * pays that does that thing, whoever wrote it.
 */
const module = (steps: string): string => `export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    const headers = new Headers(request.headers);
    for (const name of ["host", "content-length", "authorization"]) headers.delete(name);
    headers.set("authorization", "Bearer sk-bench-0123456789");
    const ask = (body) => fetch(env.UPSTREAM + pathname, { method: request.method, headers, body });
    ${steps}
  },
};
const decoder = new TextDecoder();
const LINE = JSON.stringify({ message: "interception log", filling: "x".repeat(900) });`;

const READ = "const sent = await request.arrayBuffer();";
const PARSE = "JSON.parse(decoder.decode(sent));";
const ANSWER = "const answer = await ask(sent); const got = await answer.arrayBuffer();";
const REPLY = "return new Response(got, answer);";

export const FLOORS: Readonly<Record<string, string>> = {
  "request read": module(`${READ} return ask(sent);`),
  "both read": module(`${READ} ${ANSWER} ${REPLY}`),
  "both parsed": module(`${READ} ${PARSE} ${ANSWER} JSON.parse(decoder.decode(got)); ${REPLY}`),
  "four lines": module(
    `${READ} ${PARSE} ${ANSWER} JSON.parse(decoder.decode(got));
    for (let n = 0; n < 4; n += 1) console.log(LINE); ${REPLY}`,
  ),
};
