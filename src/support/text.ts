/** Figures and tables for people. Scripts read `--json`. */

/** 1234567 as `1,234,567`. */
export const number = (n: number): string => n.toLocaleString("en-US");

/** So many of something: `1 window`, `1,024 windows`. */
export const counted = (n: number, one: string, several = `${one}s`): string =>
  `${number(n)} ${n === 1 ? one : several}`;

/** Three digits, never in powers of ten. */
const digits = (n: number): string => (n >= 100 ? String(Math.round(n)) : n.toPrecision(3));

/** In the largest unit that leaves 1 or more; the first unit is whole. */
function scaled(n: number, step: number, units: readonly string[]): string {
  let value = n;
  let unit = 0;
  for (; value >= step && unit < units.length - 1; unit++) value /= step;
  return `${unit === 0 ? value : digits(value)}${units[unit] ?? ""}`;
}

/** 6617088 as `6.62 M`. */
export const short = (n: number): string => scaled(n, 1000, ["", " k", " M", " G"]);

/** Bytes in binary units: `13.2 MiB`. */
export const bytes = (n: number): string => scaled(n, 1024, [" B", " KiB", " MiB", " GiB"]);

/** Seconds in the unit that leaves 1 or more: `49.4 ms`. */
export const time = (seconds: number): string => {
  const [unit, size] = seconds >= 1 ? ["s", 1] : seconds >= 1e-3 ? ["ms", 1e-3] : ["us", 1e-6];
  return `${digits(seconds / Number(size))} ${unit}`;
};

/** Columns side by side, two spaces between; cells that are numbers stand to the right. */
export function table(rows: readonly (readonly (string | number)[])[]): string {
  const widths: number[] = [];
  for (const row of rows)
    row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, String(cell).length)));
  const line = (row: readonly (string | number)[]) =>
    row
      .map((cell, i) =>
        typeof cell === "number" ? String(cell).padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0),
      )
      .join("  ")
      .trimEnd();
  return rows.map((row) => `${line(row)}\n`).join("");
}
