/** Pages of HTML. */
import { expect, test } from "vitest";
import { heading, table } from "../../src/report/html.ts";

test("texts stand in a page as they are", () => {
  expect(heading(1, `a <b> & "c"`)).toBe("<h1>a &lt;b&gt; &amp; &quot;c&quot;</h1>");
});

test("shares are drawn, figures stand to the right", () => {
  const columns = [
    { head: "n", kind: "figure" },
    { head: "", kind: "bar" },
  ] as const;
  expect(table(columns, [["7", 0.25]])).toContain(
    '<tr><td class="figure">7</td><td class="bar"><div style="width:25.00%"></div></td></tr>',
  );
});
