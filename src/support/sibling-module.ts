/** The URL of a module beside this one: `.ts` in a checkout, `.js` in the built package. */
export function siblingModule(path: `./${string}.ts`, base: string): URL {
  return new URL(base.endsWith(".ts") ? path : path.replace(/\.ts$/, ".js"), base);
}
