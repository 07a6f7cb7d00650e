/** esbuild replaces the import of an image by its address. */
declare module "*.svg" {
  const address: string;
  export default address;
}
