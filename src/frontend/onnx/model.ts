/** An ONNX model as moec sees it: everything decoded and checked, weights as places in files. */
import type { DType } from "../../tensor/dtype.ts";
import type { FileRegion } from "../../tensor/source.ts";

/** A dimension as the file says it: a number, a name, or unknown. */
export type OnnxDim = number | string | undefined;

/** What is known of a value; a shape of unknown rank is absent. */
export type OnnxType =
  | { readonly kind: "tensor"; readonly dtype: DType | "string"; readonly dims?: readonly OnnxDim[] }
  | { readonly kind: "sequence" | "optional"; readonly of: OnnxType | undefined }
  | { readonly kind: "other" };

export type OnnxValue = { readonly name: string; readonly type: OnnxType | undefined };

export type OnnxTensor = {
  readonly name: string;
  readonly dtype: DType | "string";
  readonly shape: readonly number[];
  /** Row-major little-endian elements in a file or at hand; texts only at hand. */
  readonly data:
    | { readonly kind: "region"; readonly region: FileRegion }
    | { readonly kind: "bytes"; readonly bytes: Uint8Array }
    | { readonly kind: "texts"; readonly texts: readonly string[] };
};

export type OnnxAttribute =
  | { readonly kind: "int" | "float"; readonly value: number }
  | { readonly kind: "ints" | "floats"; readonly values: readonly number[] }
  | { readonly kind: "text"; readonly value: string }
  | { readonly kind: "texts"; readonly values: readonly string[] }
  | { readonly kind: "tensor"; readonly tensor: OnnxTensor }
  | { readonly kind: "graph"; readonly graph: OnnxGraph }
  | { readonly kind: "type"; readonly type: OnnxType | undefined }
  /** In a function: the value of the caller's attribute of that name. */
  | { readonly kind: "reference"; readonly name: string }
  | { readonly kind: "other"; readonly what: string };

export type OnnxNode = {
  /** Its own name, or its operator and number. */
  readonly name: string;
  readonly op: string;
  /** Empty for ai.onnx. */
  readonly domain: string;
  /** Names; an empty one is an operand left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, OnnxAttribute>;
};

export type OnnxGraph = {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly initializers: ReadonlyMap<string, OnnxTensor>;
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
};

export type OnnxFunction = {
  readonly name: string;
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly nodes: readonly OnnxNode[];
  readonly opsets: ReadonlyMap<string, number>;
  /** Attributes that a call may leave out. */
  readonly defaults: ReadonlyMap<string, OnnxAttribute>;
};

export type OnnxModel = {
  readonly file: string;
  readonly producer: string;
  /** The version of each domain; ai.onnx under "". */
  readonly opsets: ReadonlyMap<string, number>;
  readonly graph: OnnxGraph;
  /** By `domain:name`. */
  readonly functions: ReadonlyMap<string, OnnxFunction>;
};

export const functionKey = (domain: string, name: string): string => `${domain}:${name}`;
