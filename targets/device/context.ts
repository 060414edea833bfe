import type { Dim } from "../../src/ir/dim.ts";
import type { OpName } from "../../src/ir/ops/index.ts";
import type { Node, Value } from "../../src/ir/graph.ts";
import type { Profile } from "../../src/machine/profile.ts";
import type { Kernel } from "../../src/machine/schedule/kernel.ts";
import type { DeviceOperand } from "../../src/plan/program/device.ts";
import type { Collective, Extent } from "../../src/plan/program/program.ts";
import type { View } from "../../src/plan/views.ts";
import type { DType } from "../../src/tensor/dtype.ts";
import type { Precision } from "./precision.ts";
import type { AttentionChooser, TileChooser } from "./search/chooser.ts";
import type { Rounded } from "./uses.ts";
import type { QuantizedRecipe } from "../../src/tensor/quantized.ts";
import type { Recipe } from "../../src/tensor/recipe.ts";

/** Where a value lies on the device: a window on a buffer, a cache or a weight, in its dtype. */
export type DeviceView = View & {
  readonly dtype: DType;
  readonly in: DeviceOperand["region"];
  /** Its rows still want each so many neighbours rotated; only kernels that round rows do that. */
  readonly rotation?: number;
  /** Its rows rounded, so many neighbours rotated together before; where nothing reads them otherwise, the view is of the codes. */
  readonly rounded?: RoundedView;
  /** Its rows lie in the device's fractals; only products read such. */
  readonly nz?: boolean;
  /** It is sums of codes, whose scales those who read it must see to. */
  readonly sums?: { readonly columns: DeviceView; readonly rows: DeviceView };
  /** What its only reader adds to it as it loads it. */
  readonly more?: DeviceView;
  /** Columns behind its own that all heads share and that lie elsewhere; only attention reads such keys. */
  readonly tail?: DeviceView;
  /** Some of its slots are of experts elsewhere, and -1 here. */
  readonly partial?: boolean;
};

/** Codes i8 of rows, and the scale of each. */
export type RoundedView = {
  readonly rotation: number;
  readonly codes: DeviceView;
  readonly scales: DeviceView;
};

/** What a lowering rule sees: operands as views or weights, and where to put launches. */
export type DeviceContext = {
  readonly profile: Profile;
  /** What is multiplied, and what else is kept. */
  readonly precision: Precision;
  readonly view: (value: Value | undefined) => DeviceView;
  /** The recipe of a weight or constant, or undefined where a value is computed. */
  readonly recipe: (value: Value | undefined) => Recipe | undefined;
  /** The parts of a quantized weight, or undefined where it is none. */
  readonly quantized: (value: Value | undefined) => QuantizedRecipe | undefined;
  /** A recipe's elements row by row in device memory. */
  readonly weight: (recipe: Recipe) => DeviceView;
  /** Such a recipe's matrices in the device's fractals. */
  readonly fractals: (recipe: Recipe) => DeviceView;
  /** Numbers made at compile time, f32; those of one name are made once. */
  readonly table: (
    name: string,
    make: () => { readonly shape: readonly number[]; readonly values: Float32Array },
  ) => DeviceView;
  /** The operators that read a value, or a view of it; the function's results count as `result`. */
  readonly readers: (value: Value | undefined) => ReadonlySet<OpName | "result">;
  /** How integer products round a value; undefined where none reads it. */
  readonly roundedAs: (value: Value | undefined) => Rounded | undefined;
  /** The nodes that read a value as it is. */
  readonly consumers: (value: Value | undefined) => readonly Node[];
  /** The dtype in which readers want a value. */
  readonly wanted: (value: Value | undefined) => DType;
  /** The most positions there can be, and the most rows that an extent counts in one call. */
  readonly positions: number;
  readonly most: (rows: Extent) => number;
  /** Where a value is made, bound to it: where its only reader wants it, else a row-major buffer of its own; of the dtype in which its readers want it unless another is asked for. */
  readonly output: (value: Value | undefined, dtype?: DType) => DeviceView;
  /** As `output`, in room that values after the last reader of this one take again. */
  readonly passing: (value: Value | undefined) => DeviceView;
  /** A buffer of the current node's own, [rows, ...rest]. */
  readonly scratch: (name: string, dtype: DType, rows: Extent, rest: readonly number[]) => DeviceView;
  readonly bind: (value: Value | undefined, view: DeviceView) => void;
  /** The rows of a cache, those of this call included. */
  readonly cache: (value: Value | undefined, dims: readonly Dim[]) => DeviceView;
  /** A kernel of these specifications; those that were made before are not made again. */
  readonly kernel: KernelCache;
  /** Cycles of a kernel of the vector cores for so many rows. */
  readonly cycles: (kernel: Kernel, rows: number) => number;
  /** How a product of at most so many rows is cut, and its cycles. */
  readonly tile: TileChooser;
  /** How attention is cut. */
  readonly attentionTile: AttentionChooser;
  readonly launch: (kernel: Kernel, sizes: Sizes, operands: Readonly<Record<string, DeviceView>>) => void;
  /** A step of the ranks of a group together; its rows count elements. */
  readonly collect: (group: readonly number[], collective: Collective) => void;
};

/** What makes kernels of a kind, from the profile and their specifications. */
export type KernelMaker<S extends readonly unknown[]> = (profile: Profile, ...specs: S) => Kernel;

/** What a kernel was made by and of: others write it in their own form from that. */
export type Origin = { readonly maker: KernelMaker<never>; readonly specs: readonly unknown[] };

/** A kernel and what it was made of. */
export type MadeKernel = Origin & { readonly kernel: Kernel };

/** Makes kernels, each once. */
export type KernelCache = <S extends readonly unknown[]>(maker: KernelMaker<S>, ...specs: S) => Kernel;

/** A kernel's sizes in a call. */
export type Sizes = Readonly<Record<string, Extent>>;

/** How an operator becomes launches. */
export type DeviceRule<N extends Node = Node> = (cx: DeviceContext, node: N) => void;
