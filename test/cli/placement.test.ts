/** From routing to a sharded plan, at the command line. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { moec } from "../support/moec.ts";
import { tempFolder } from "../support/temp.ts";

const folder = tempFolder();
const at = (name: string): string => join(folder, name);
const done = (...args: readonly string[]): string => {
  const { code, out, err } = moec(args);
  expect(code, err).toBe(0);
  return out;
};

beforeAll(() => {
  done("compile", "fixtures/moe-6m", "-o", at("one"), "--quiet");
  const text = ["--text", "fixtures/text/sample.txt", "--window", "128"];
  done("route", at("one"), ...text, "-o", at("routing.safetensors"));
});
const place = (...more: readonly string[]) => done("place", at("routing.safetensors"), ...more);

test("a plan sharded by a placement of uneven ranks gives the tokens of the single device", () => {
  place("--cluster", "1x3 ascend-910b3", "--redundant-experts", "3", "-o", at("map.json"));
  done("compile", "fixtures/moe-6m", "-o", at("three"), "--placement", at("map.json"), "--quiet");
  const prompt = ["--prompt", "And it came to pass", "-n", "4", "--json"];
  expect(done("run", at("three"), ...prompt)).toBe(done("run", at("one"), ...prompt));
});

test("however many threads search, they find the same map", () => {
  const found = [1, 3].map((n) => place("--cluster", "1x3 ascend-910b3", "--threads", `${n}`, "--json"));
  expect(found[0]).toBe(found[1]);
});

test("EPLB's map for vllm-ascend has equal devices, in the form that vllm-ascend reads", () => {
  const asked = ["--cluster", "2x4 ascend-910b3", "--redundant-experts", "8", "--placement", "eplb"];
  place(...asked, "--format", "vllm-ascend", "-o", at("vllm.json"));
  const map: unknown = JSON.parse(readFileSync(at("vllm.json"), "utf8"));
  const device = {
    device_id: expect.any(Number) as number,
    device_expert: Array(5).fill(expect.any(Number)),
  };
  const layer = {
    layer_id: expect.any(Number) as number,
    device_count: 8,
    device_list: Array(8).fill(device),
  };
  expect(map).toEqual({ moe_layer_count: 4, layer_list: Array(4).fill(layer) });
});

test("what does not fit is refused with a reason", () => {
  const refused = (...args: readonly string[]) => moec(args).err;
  const uneven = ["place", at("routing.safetensors"), "--cluster", "1x3 ascend-910b3"];
  expect(refused(...uneven, "--placement", "eplb")).toContain("32 copies on 3 devices are uneven");
  expect(refused(...uneven, "--format", "vllm-ascend")).toContain("cluster/uneven");
  expect(refused(...uneven, "--text", "nothing")).toContain("it has sample");
  expect(refused(...uneven, "--redundant-experts", "65")).toContain("cluster/no-room");
  place("--cluster", "1x3 ascend-910b3", "-o", at("map.json"));
  const placed = ["compile", "fixtures/moe-6m", "--dry-run", "--placement", at("map.json")];
  expect(refused(...placed, "--parallel", "ep2")).toContain("for 3 expert ranks, this plan has 2");
});
