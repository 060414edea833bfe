import { CompileError, diag, type Diagnostic } from "../../support/diagnostics.ts";
import { displayName, type DType } from "../../tensor/dtype.ts";
import { cast, dequantize, source, type Recipe } from "../../tensor/recipe.ts";

/** What the importer needs to know of a tensor on disk. */
export type TensorInfo = { readonly dtype: DType; readonly shape: readonly number[] };

const mostFaults = 20;
const weightDTypes: readonly DType[] = ["bf16", "f16", "f32", "f8e4m3"];

/**
 * Hands out the checkpoint's tensors as recipes and keeps account of what was asked for, so that
 * everything missing, surplus or misshapen is reported together.
 */
export type TensorDesk = {
  /** A tensor of exactly this shape: bf16 as it is, everything else widened to f32, FP8 blocks dequantized. */
  readonly take: (name: string, shape: readonly number[], why: string) => Recipe;
  /** Bring recipes that will be joined to one dtype. */
  readonly alike: (recipes: readonly Recipe[]) => readonly Recipe[];
  /** Tensors matching the test are known and left aside. */
  readonly leave: (test: (name: string) => boolean) => readonly string[];
  /** Throws all faults found, at most 20 of a kind worded. */
  readonly settle: () => void;
};

const formatInfo = (t: TensorInfo): string => `${displayName(t.dtype)} [${t.shape.join(", ")}]`;

export function tensorDesk(
  tensors: ReadonlyMap<string, TensorInfo>,
  fp8Block: readonly [number, number] | undefined,
): TensorDesk {
  const faults: Diagnostic[] = [];
  const known = new Set<string>();
  const at = (tensor: string) => ({ kind: "tensor", tensor }) as const;

  /** The tensor under this name if it is there in this shape; a fault and undefined otherwise. */
  const find = (name: string, shape: readonly number[], why: string): TensorInfo | undefined => {
    known.add(name);
    const info = tensors.get(name);
    const expected = `[${shape.join(", ")}]`;
    if (!info) faults.push(diag("checkpoint/missing-tensor", at(name), name, expected, why));
    else if (info.shape.length !== shape.length || info.shape.some((d, i) => d !== shape[i]))
      faults.push(
        diag("checkpoint/misshapen-tensor", at(name), name, `[${info.shape.join(", ")}]`, expected, why),
      );
    else return info;
    return undefined;
  };

  const fp8 = (name: string, shape: readonly number[]): Recipe => {
    const [rows, cols] = fp8Block ?? [128, 128];
    const grid = [Math.ceil((shape[0] ?? 1) / rows), Math.ceil((shape[1] ?? 1) / cols)];
    const scaleName = `${name}_scale_inv`;
    const info = find(scaleName, grid, `${name} is FP8 with one scale for each ${rows}x${cols} block`);
    const scale = source(scaleName, info?.dtype ?? "f32", grid);
    return dequantize(source(name, "f8e4m3", shape), scale, [rows, cols]);
  };

  const taken = new Map<string, Recipe>();
  const take: TensorDesk["take"] = (name, shape, why) => {
    const before = taken.get(name);
    if (before) return before;
    const info = find(name, shape, why);
    if (info && !weightDTypes.includes(info.dtype))
      faults.push(
        diag(
          "checkpoint/dtype",
          at(name),
          name,
          displayName(info.dtype),
          weightDTypes.map((d) => displayName(d)).join(", "),
        ),
      );
    const plain = source(name, info?.dtype ?? "bf16", shape);
    const recipe =
      info?.dtype === "f8e4m3" ? fp8(name, shape) : info?.dtype === "bf16" ? plain : cast(plain, "f32");
    taken.set(name, recipe);
    return recipe;
  };

  return {
    take,
    alike: (recipes) =>
      new Set(recipes.map((r) => r.dtype)).size > 1 ? recipes.map((r) => cast(r, "f32")) : recipes,
    leave: (test) => {
      const names = [...tensors.keys()].filter((name) => !known.has(name) && test(name));
      names.forEach((name) => known.add(name));
      return names;
    },
    settle: () => {
      for (const [name, info] of tensors)
        if (!known.has(name))
          faults.push(diag("checkpoint/surplus-tensor", at(name), name, formatInfo(info)));
      if (faults.length === 0) return;
      const rest = faults.length - mostFaults;
      throw new CompileError([
        ...faults.slice(0, mostFaults),
        ...(rest > 0 ? [diag("checkpoint/more", undefined, rest)] : []),
      ]);
    },
  };
}
