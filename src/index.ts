export default { fetch(r: Request) { return new Response("hi"); } };
