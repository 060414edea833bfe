/** A kernel as a module of its own for `bishengir-compile`. */
import type { GlobalArray } from "./boxes.ts";
import { writer, type Index, type Writer } from "./writer.ts";

/** Which cores a kernel runs on: the cube's, the vector cores', or groups of both. */
export type Mode = "aic" | "aiv" | "mix";

/** What the body of a kernel finds. */
export type Scope = {
  readonly w: Writer;
  /** This core, and how many there are. */
  readonly core: Index;
  readonly cores: Index;
  /** A size of the launch. */
  readonly size: (name: string) => Index;
};

export type KernelText = {
  readonly name: string;
  readonly mode: Mode;
  readonly arrays: readonly GlobalArray[];
  /** Sizes that are given at the launch. */
  readonly sizes: readonly string[];
  readonly body: (scope: Scope) => void;
};

/** Parameters in the order of the launch: the runtime's two, arrays, sizes, and how many programs there are and which this is, on three axes. */
const parameters = ({ arrays, sizes }: KernelText): readonly string[] => [
  "%lock: memref<?xi8>",
  "%workspace: memref<?xi8>",
  ...arrays.map((it) => `%${it.name}.given: memref<?x${it.element}>`),
  ...sizes.map((it) => `%${it}.given: i32`),
  ...["x", "y", "z"].map((it) => `%programs.${it}: i32`),
  ...["x", "y", "z"].map((it) => `%program.${it}: i32`),
];

export function kernelText(kernel: KernelText, chip: string): string {
  const { name, mode, sizes, body } = kernel;
  const attributes = [
    "SyncBlockLockArgIdx = 0 : i64",
    "WorkspaceArgIdx = 1 : i64",
    'global_kernel = "local"',
    "hacc.entry",
    "hacc.function_kind = #hacc.function_kind<DEVICE>",
    `mix_mode = "${mode}"`,
    'parallel_mode = "simd"',
  ];
  const w = writer();
  const given = (it: string): Index => w.value(it, `arith.index_cast %${it}.given : i32 to index`);
  w.block(
    `module attributes {hacc.target = #hacc.target<"${chip}">} {`,
    () => {
      w.line(`func.func @${name}(`);
      const all = parameters(kernel);
      all.forEach((it, i) => w.line(`  ${it}${i + 1 < all.length ? "," : ""}`));
      w.block(
        `) attributes {${attributes.join(", ")}} {`,
        () => {
          const known = new Map(sizes.map((it) => [it, given(it)]));
          const core = w.value("core", "arith.index_cast %program.x : i32 to index");
          const cores = w.value("cores", "arith.index_cast %programs.x : i32 to index");
          const size = (it: string): Index => {
            const found = known.get(it);
            if (found === undefined) throw new Error(`${name} has no size ${it}`);
            return found;
          };
          body({ w, core, cores, size });
          w.line("return");
        },
        "}",
      );
    },
    "}",
  );
  return `${w.lines().join("\n")}\n`;
}
