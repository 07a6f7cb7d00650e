/** The additions of Vite to modules that the tests use: https://vite.dev/guide/features.html#glob-import */
interface ImportMeta {
  /** The text of every matching file, by its path from here. */
  glob(
    pattern: string,
    options: { readonly query: "?raw"; readonly eager: true; readonly import: "default" },
  ): Record<string, string>;
}

declare module "*?raw" {
  const text: string;
  export default text;
}
