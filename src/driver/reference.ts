import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isPlan, readPlan, type Plan } from "../plan/read-plan.ts";
import { emit, lowerOpened, write, type Emitted } from "./compile.ts";
import { emitOnnxDecoder, mostPositions } from "./onnx/compile-onnx.ts";
import { writing } from "../tensor/sink.ts";
import { isOnnx, openModel } from "./model.ts";

/** A plan to compare with, and how to be rid of what was made for it. */
export type Reference = { readonly plan: Plan; readonly remove: () => void };

/** A model in full precision, for sequences of `positions`, or as many as it knows. */
async function emitReference(path: string, positions: number): Promise<Pick<Emitted, "parts">> {
  if (isOnnx(path)) return emitOnnxDecoder(path, { context: Math.min(positions, mostPositions) });
  const model = openModel(path);
  const options = { context: Math.min(positions, model.config.maxPositions) };
  return emit(lowerOpened(model, options), options);
}

/**
 * A plan of a model in full precision, made in a folder of the system's for temporary files; a plan stands for itself. It holds sequences
 * of `positions`, or as many as the model knows.
 */
export async function referencePlan(path: string, positions: number): Promise<Reference> {
  if (isPlan(path)) return { plan: readPlan(path), remove: () => {} };
  const dir = writing(tmpdir(), () => mkdtempSync(join(tmpdir(), "moec-reference-")));
  const clear = () => rmSync(dir, { recursive: true, force: true });
  process.once("exit", clear); // an interrupt ends the process without coming back here
  try {
    await write(join(dir, "plan"), await emitReference(path, positions));
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
