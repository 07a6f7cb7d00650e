/** The one thing the companion Worker needs of this module, whose types the Node tests do not load. */
declare module "cloudflare:workers" {
  export class WorkerEntrypoint<Env = unknown> {
    protected readonly env: Env;
  }
}
