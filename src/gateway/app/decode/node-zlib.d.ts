/** The types of Workers do not describe this module. `zlib.ts` describes the part of it that is used. */
declare module "node:zlib";
