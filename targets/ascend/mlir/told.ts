/** What is said of a kernel's tile, and in what it is not the plan's. */
export type Told = { readonly tile: string; readonly differs?: string };
