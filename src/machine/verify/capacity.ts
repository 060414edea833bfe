import { diag, type Diagnostic } from "../../support/diagnostics.ts";
import { dtypes } from "../../tensor/dtype.ts";
import type { Profile, Space } from "../profile.ts";
import { usableBytes } from "../rates.ts";
import { statements, type BufferStmt, type Kernel } from "../schedule/kernel.ts";

const upTo = (n: number, unit: number): number => Math.ceil(n / unit) * unit;

/** Bytes that one copy of a buffer takes in a space: whole fractals where matrices lie in them, and whole units of alignment. */
export function bufferBytes(
  { dtype, rows, cols }: Pick<BufferStmt, "dtype" | "rows" | "cols">,
  space: Space,
): number {
  const { bits } = dtypes[dtype];
  const { fractal, layouts, align } = space;
  if (!fractal || layouts.includes("nd")) return upTo((rows * cols * bits) / 8, align.value);
  const wide = upTo((cols * bits) / 8, fractal.rowBytes.value);
  return upTo(upTo(rows, fractal.rows.value) * wide, align.value);
}

/** Spaces of a core into which a part's buffers do not fit, all their copies counted. */
export function capacityFaults(kernel: Kernel, profile: Profile): readonly Diagnostic[] {
  return kernel.parts.flatMap(({ core, body }) => {
    const buffers = statements(body).filter((it) => it.kind === "buffer");
    return profile.spaces.flatMap((space) => {
      const own = buffers.filter((it) => it.space === space.name);
      const sizes = own.map((it) => ({ name: it.name, bytes: it.copies * bufferBytes(it, space) }));
      const needed = sizes.reduce((n, it) => n + it.bytes, 0);
      if (needed <= usableBytes(space)) return [];
      const largest = sizes.toSorted((a, b) => b.bytes - a.bytes).slice(0, 3).map((it) => `${it.name} ${it.bytes}`); // prettier-ignore
      return [
        diag(
          "schedule/capacity",
          undefined,
          kernel.name,
          core,
          space.name,
          needed,
          usableBytes(space),
          largest,
        ),
      ];
    });
  });
}
