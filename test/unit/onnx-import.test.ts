/** Forms of ONNX models that node tests do not have. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import proto from "onnx-proto";
import protobuf from "protobufjs/minimal.js";
import { describe, expect, test } from "vitest";
import { importOnnx } from "../../src/frontend/onnx/import.ts";
import { readOnnx } from "../../src/frontend/onnx/reading/read.ts";
import { interpret } from "../../src/interp/interpret.ts";
import type { Tensor } from "../../src/interp/tensor.ts";
import { tempFolder } from "../support/temp.ts";

const folder = tempFolder();
const { onnx } = proto;
const [float, int] = [1, 2]; // AttributeProto.FLOAT and INT

const typed = (name: string, ...dims: (number | string)[]): proto.onnx.IValueInfoProto => ({
  name,
  type: {
    tensorType: {
      elemType: 1,
      shape: { dim: dims.map((d) => (typeof d === "number" ? { dimValue: d } : { dimParam: d })) },
    },
  },
});

const modelOf = (graph: proto.onnx.IGraphProto): Uint8Array =>
  onnx.ModelProto.encode({
    irVersion: 10,
    opsetImport: [
      { domain: "", version: 20 },
      { domain: "own", version: 1 },
    ],
    graph: { name: "g", ...graph },
  }).finish();

/** A model with a function behind it, whose defaults onnx-proto cannot write. */
function withFunction(
  model: Uint8Array,
  it: proto.onnx.IFunctionProto,
  defaults: proto.onnx.IAttributeProto[],
): Uint8Array {
  const body = protobuf.Writer.create();
  for (const attribute of defaults)
    body.uint32((11 << 3) | 2).bytes(onnx.AttributeProto.encode(attribute).finish());
  const bytes = Buffer.concat([onnx.FunctionProto.encode(it).finish(), body.finish()]);
  return Buffer.concat([
    model,
    protobuf.Writer.create()
      .uint32((25 << 3) | 2)
      .bytes(bytes)
      .finish(),
  ]);
}

async function run(name: string, bytes: Uint8Array, x: Tensor): Promise<Tensor | undefined> {
  const file = join(folder, `${name}.onnx`);
  writeFileSync(file, bytes);
  const imported = importOnnx(await readOnnx(file));
  if ("unsupported" in imported) throw new Error(JSON.stringify(imported.unsupported));
  const [func] = imported.module.funcs;
  if (!func) throw new Error("there is no function");
  const noWeights = (): never => {
    throw new Error("there are no weights");
  };
  return interpret(func, new Map([["x", x]]), noWeights).get("y");
}

const vector = (...values: number[]): Tensor => ({
  dtype: "f32",
  shape: [values.length],
  data: Float32Array.from(values),
});

describe("functions", () => {
  const leaky: proto.onnx.IFunctionProto = {
    name: "Twice",
    domain: "own",
    input: ["a"],
    output: ["c"],
    opsetImport: [{ domain: "", version: 20 }],
    node: [
      {
        opType: "LeakyRelu",
        input: ["a"],
        output: ["b"],
        attribute: [{ name: "alpha", type: float, refAttrName: "slope" }],
      },
      { opType: "Add", input: ["b", "b"], output: ["c"] },
    ],
  };
  const call = (attribute: proto.onnx.IAttributeProto[]) =>
    modelOf({
      node: [{ opType: "Twice", domain: "own", name: "call", input: ["x"], output: ["y"], attribute }],
      input: [typed("x", "n")],
      output: [typed("y", "n")],
    });

  test("are inlined, the caller's attributes in the place of references", async () => {
    const model = withFunction(call([{ name: "slope", type: float, f: 0.5 }]), leaky, []);
    expect([...((await run("given", model, vector(-2, 3)))?.data ?? [])]).toEqual([-2, 6]);
  });

  test("fall back on their own defaults", async () => {
    const model = withFunction(call([]), leaky, [{ name: "slope", type: float, f: 0.25 }]);
    expect([...((await run("default", model, vector(-2, 3)))?.data ?? [])]).toEqual([-1, 6]);
  });
});

describe("control flow", () => {
  test("a branch that only the run decides computes both and chooses", async () => {
    const branch = (name: string, op: string): proto.onnx.IAttributeProto => ({
      name,
      type: 5,
      g: {
        name,
        node: [{ opType: op, name: op, input: ["x"], output: [`${name}.y`] }],
        output: [typed(`${name}.y`, "n")],
      },
    });
    const model = modelOf({
      node: [
        {
          opType: "ReduceSum",
          name: "sum",
          input: ["x"],
          output: ["sum"],
          attribute: [{ name: "keepdims", type: int, i: 0 }],
        },
        {
          opType: "Cast",
          name: "cast",
          input: ["sum"],
          output: ["some"],
          attribute: [{ name: "to", type: int, i: 9 }],
        },
        {
          opType: "If",
          name: "if",
          input: ["some"],
          output: ["y"],
          attribute: [branch("then_branch", "Neg"), branch("else_branch", "Exp")],
        },
      ],
      input: [typed("x", "n")],
      output: [typed("y", "n")],
    });
    expect([...((await run("if", model, vector(1, 2)))?.data ?? [])]).toEqual([-1, -2]);
    expect([...((await run("if", model, vector(1, -1)))?.data ?? [])][0]).toBeCloseTo(Math.E, 5);
  });
});

test("named dimensions are worked out: a reshape to what is left and a slice to the end", async () => {
  const whole = (name: string, ...values: number[]): proto.onnx.ITensorProto => ({
    name,
    dataType: 7,
    dims: [values.length],
    int64Data: values,
  });
  const model = modelOf({
    initializer: [
      whole("two", 2, -1),
      whole("one", 1),
      whole("zero", 0),
      whole("far", Number.MAX_SAFE_INTEGER),
      whole("minus", -1),
    ],
    node: [
      { opType: "Reshape", name: "halves", input: ["x", "two"], output: ["h"] },
      { opType: "Slice", name: "second", input: ["h", "one", "far", "zero"], output: ["s"] },
      { opType: "Reshape", name: "flat", input: ["s", "minus"], output: ["y"] },
    ],
    input: [typed("x", "n", 4)],
    output: [typed("y", "m")],
  });
  const x: Tensor = { dtype: "f32", shape: [3, 4], data: Float32Array.from({ length: 12 }, (_, i) => i) };
  expect([...((await run("dims", model, x))?.data ?? [])]).toEqual([6, 7, 8, 9, 10, 11]);
});
