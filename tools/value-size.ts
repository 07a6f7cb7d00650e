/**
 * The largest variable or secret of a Worker, in bytes (5 KB):
 * https://developers.cloudflare.com/workers/platform/limits/#environment-variables
 */
export const MAX_VALUE_BYTES = 5120;
