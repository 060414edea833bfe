import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isPlan, readPlan, type Plan } from "../plan/read-plan.ts";
import { compile, write, type CompileOptions } from "./compile.ts";
import { emitOnnxDecoder } from "./onnx/compile-onnx.ts";
import { writing } from "../tensor/sink.ts";
import { isOnnx } from "./model.ts";

/** A plan to compare with, and how to be rid of what was made for it. */
export type Reference = { readonly plan: Plan; readonly remove: () => void };

/** A plan of a model in full precision, made in a folder of the system's for temporary files; a plan stands for itself. */
export async function referencePlan(path: string, options: CompileOptions): Promise<Reference> {
  if (isPlan(path)) return { plan: readPlan(path), remove: () => {} };
  const dir = writing(tmpdir(), () => mkdtempSync(join(tmpdir(), "moec-reference-")));
  const clear = () => rmSync(dir, { recursive: true, force: true });
  process.once("exit", clear); // an interrupt ends the process without coming back here
  try {
    if (isOnnx(path)) await write(join(dir, "plan"), await emitOnnxDecoder(path, options));
    else await compile(path, join(dir, "plan"), options);
    return {
      plan: readPlan(join(dir, "plan")),
      remove: () => {
        process.off("exit", clear);
        clear();
      },
    };
  } catch (error) {
    clear();
    throw error;
  }
}
