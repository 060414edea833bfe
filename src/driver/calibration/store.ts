import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { readHeader } from "../../frontend/safetensors/header.ts";
import type { DType } from "../../tensor/dtype.ts";
import { formatNames, formats, groupCount, type FormatName, type Quantized } from "../../tensor/format.ts";
import { inFormat, source, type QuantizedPart, type Recipe } from "../../tensor/recipe.ts";
import type { StoredTensor } from "../../tensor/recipe-rows.ts";
import { bytesOfPart } from "../../tensor/stored-parts.ts";
import { writeSafetensors } from "../../tensor/safetensors-file.ts";
import { makeFolder, writing } from "../../tensor/sink.ts";

/** A quantized matrix and its format. */
export type Matrix = {
  readonly name: string;
  readonly format: FormatName;
  readonly rows: number;
  readonly cols: number;
  readonly found: Quantized;
  /** The mean square of what its output is off by, over the output's. */
  readonly error: number;
};

/** How many tokens each expert of a layer saw. `layer` is the name of the first expert's first matrix. */
export type Coverage = { readonly layer: string; readonly tokens: readonly number[] };

/** What is told of quantized matrices. */
export type QuantReport = {
  readonly matrices: readonly Pick<Matrix, "name" | "format" | "rows" | "cols" | "error">[];
  readonly coverage: readonly Coverage[];
};

/**
 * Quantized matrices on disk, one safetensors file a segment. A file is there whole or not at all, so that what an interrupted run left
 * can be taken up again by whoever opens the folder of the same fingerprint.
 */
export type Store = {
  /** The tensors of all segments that are there, by the names that recipes call them. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly has: (segment: number) => boolean;
  readonly put: (segment: number, matrices: readonly Matrix[], coverage: readonly Coverage[]) => void;
  /** What is told of all segments that are there. */
  readonly report: () => QuantReport;
  readonly remove: () => void;
};

const fileOf = (segment: number): string => `segment-${String(segment).padStart(5, "0")}.safetensors`;

/** Open the store in `dir` for work of this fingerprint; what other work left there is cleared. Throws `plan/write`. */
export function openStore(dir: string, fingerprint: string): Store {
  const folder = join(dir, fingerprint);
  if (existsSync(dir))
    for (const name of readdirSync(dir))
      if (name !== fingerprint) writing(dir, () => rmSync(join(dir, name), { recursive: true }));
  makeFolder(folder);
  const tensors = new Map<string, StoredTensor>();
  const reports: QuantReport[] = [];
  const read = (file: string): void => {
    const header = readHeader(file);
    for (const [name, entry] of header.tensors) tensors.set(name, entry);
    reports.push(v.parse(report, JSON.parse(header.metadata.get(reportKey) ?? "")));
  };
  for (const name of readdirSync(folder)) if (name.endsWith(".safetensors")) read(join(folder, name));
  return {
    tensors,
    has: (segment) => existsSync(join(folder, fileOf(segment))),
    report: () => ({
      matrices: reports.flatMap((it) => it.matrices),
      coverage: reports.flatMap((it) => it.coverage),
    }),
    put: (segment, matrices, coverage) => {
      const file = join(folder, fileOf(segment));
      writeMatrices(file, matrices, coverage);
      read(file);
    },
    remove: () => writing(dir, () => rmSync(dir, { recursive: true, force: true })),
  };
}

const partName = (matrix: string, part: string): string => `${matrix}:${part}`;

const reportKey = "moec.report";
const report = v.object({
  matrices: v.array(
    v.object({
      name: v.string(),
      format: v.picklist(formatNames),
      rows: v.number(),
      cols: v.number(),
      error: v.number(),
    }),
  ),
  coverage: v.array(v.object({ layer: v.string(), tokens: v.array(v.number()) })),
});

function writeMatrices(file: string, matrices: readonly Matrix[], coverage: readonly Coverage[]): void {
  const parts = matrices.flatMap(({ name, format, rows, cols, found }) => {
    const groups = groupCount(formats[format], cols);
    const { scale } = formats[format];
    const codes = formats[format].codes === "e2m1" ? ("f4e2m1" as const) : ("i8" as const);
    const part = (of: QuantizedPart, dtype: DType, width: number) => {
      const data = bytesOfPart(found, of, formats[format]);
      return { name: partName(name, of), dtype, shape: [rows, width], data };
    };
    return [
      part("codes", codes, cols),
      part("scales", scale, groups),
      ...(found.zeros ? [part("zeros", "i8", groups)] : []),
    ];
  });
  const told = matrices.map(({ name, format, rows, cols, error }) => ({ name, format, rows, cols, error }));
  writeSafetensors(file, parts, { [reportKey]: JSON.stringify({ matrices: told, coverage }) });
}

/** A stored matrix as a recipe, or undefined where the store does not hold it in that format. */
export function storedMatrix({ tensors }: Store, name: string, format: FormatName): Recipe | undefined {
  const part = (of: string): Recipe | undefined => {
    const entry = tensors.get(partName(name, of));
    return entry && source(partName(name, of), entry.dtype, entry.shape);
  };
  const [codes, scales] = [part("codes"), part("scales")];
  if (!codes || !scales) return undefined;
  return inFormat(format, codes, scales, part("zeros"));
}
