/** Pages of HTML that need nothing else: no script, no file beside them, nothing from the network. */

const escapes: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/** A text as it stands in a page. */
export const escaped = (text: string): string => text.replace(/[&<>"]/g, (it) => escapes[it] ?? it);

const style = `
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 0.5rem 0 1.5rem; }
th, td { padding: 0.15rem 0.8rem 0.15rem 0; text-align: left; vertical-align: top; }
th { font-weight: 600; border-bottom: 1px solid #8888; }
td.figure, th.figure { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.bar { width: 12rem; }
td.bar div { height: 0.7rem; margin-top: 0.4rem; background: #3b7dd8; min-width: 1px; }
p.model { border-left: 3px solid #d89b3b; padding-left: 0.8rem; }
code { font-size: 0.9em; }
`;

/** What a column of a table holds: texts, names as they stand in a plan, figures, or shares of one, drawn as bars. */
export type Column = { readonly head: string; readonly kind: "text" | "code" | "figure" | "bar" };

function cell(kind: Column["kind"], value: string | number): string {
  if (kind === "bar") return `<td class="bar"><div style="width:${(100 * Number(value)).toFixed(2)}%"></div></td>`; // prettier-ignore
  const text = escaped(String(value));
  return kind === "figure" ? `<td class="figure">${text}</td>` : `<td>${kind === "code" ? `<code>${text}</code>` : text}</td>`; // prettier-ignore
}

/** A table; each row has a cell a column. */
export function table(columns: readonly Column[], rows: readonly (readonly (string | number)[])[]): string {
  const heads = columns.map(({ head, kind }) => `<th${kind === "figure" ? ' class="figure"' : ""}>${escaped(head)}</th>`); // prettier-ignore
  const lines = rows.map((row) => `<tr>${columns.map(({ kind }, i) => cell(kind, row[i] ?? "")).join("")}</tr>`); // prettier-ignore
  return `<table>\n<tr>${heads.join("")}</tr>\n${lines.join("\n")}\n</table>`;
}

export const heading = (level: 1 | 2 | 3, text: string): string => `<h${level}>${escaped(text)}</h${level}>`;
export const paragraph = (text: string): string => `<p>${escaped(text)}</p>`;
/** A paragraph about what rests on a model, set apart. */
export const aboutModel = (text: string): string => `<p class="model">${escaped(text)}</p>`;

export const page = (title: string, parts: readonly string[]): string =>
  `<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<meta name="viewport" content="width=device-width">\n<title>${escaped(title)}</title>\n<style>${style}</style>\n<body>\n${parts.join("\n")}\n</body>\n</html>\n`;
