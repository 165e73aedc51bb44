/** How fast arithmetic can be on this machine: multiplying and adding, and nothing else. */
import { embedded, functionsOf } from "../load/instance.js";
import { byTimestamps, byWaiting } from "../targets/webgpu/commands.js";
import { acquire } from "../targets/webgpu/device.js";

/** emit/wasm/peak.py writes them; a round does FLOPS multiplications and additions. */
const MODULES = {
  relaxed: "AGFzbQEAAAABBgFgAX8BfwIPAQAGbWVtb3J5AgEBgIAEAwIBAAcIAQRzcGluAAAK7wEB7AEBDnv9DAAA" +
    "AD8AAAA/AAAAPwAAAD8hDf0MAACAPwAAgD8AAIA/AACAPyEOA0AgASANIA79hQIhASACIA0gDv2FAiECIAMg" +
    "DSAO/YUCIQMgBCANIA79hQIhBCAFIA0gDv2FAiEFIAYgDSAO/YUCIQYgByANIA79hQIhByAIIA0gDv2FAiEI" +
    "IAkgDSAO/YUCIQkgCiANIA79hQIhCiALIA0gDv2FAiELIAwgDSAO/YUCIQwgAEF/aiIADQALIAEgAv1QIAP9" +
    "UCAE/VAgBf1QIAb9UCAH/VAgCP1QIAn9UCAK/VAgC/1QIAz9UP1TCw==",
  simd128: "AGFzbQEAAAABBgFgAX8BfwIPAQAGbWVtb3J5AgEBgIAEAwIBAAcIAQRzcGluAAAKkwIBkAIBDnv9DAAA" +
    "AD8AAAA/AAAAPwAAAD8hDf0MAACAPwAAgD8AAIA/AACAPyEOA0AgASAN/eYBIA795AEhASACIA395gEgDv3k" +
    "ASECIAMgDf3mASAO/eQBIQMgBCAN/eYBIA795AEhBCAFIA395gEgDv3kASEFIAYgDf3mASAO/eQBIQYgByAN" +
    "/eYBIA795AEhByAIIA395gEgDv3kASEIIAkgDf3mASAO/eQBIQkgCiAN/eYBIA795AEhCiALIA395gEgDv3k" +
    "ASELIAwgDf3mASAO/eQBIQwgAEF/aiIADQALIAEgAv1QIAP9UCAE/VAgBf1QIAb9UCAH/VAgCP1QIAn9UCAK" +
    "/VAgC/1QIAz9UP1TCw==",
};
const FLOPS = 96;

const LONG = 20; // ms of a measurement: far above the clock's steps
const WARM = 200; // ms until the browser has compiled the measured code
const GPU_LONG = 5; // ms of a measurement, far below any watchdog
const ROUNDS = 512; // of an invocation
const MOST = 65535; // workgroups

/**
 * @typedef {keyof typeof MODULES} ISA  a set of instructions of WebAssembly
 * @typedef {{gflops: number, what: string}} Peak  `what`: the kind of operation
 */

/**
 * @param {import("../api.d.ts").TargetName} target
 * @param {string} build  of the target
 * @returns {Promise<Peak>}
 */
export async function measurePeak(target, build) {
  const isa = build.includes("simd128") ? "simd128" : "relaxed";
  const { what, measure } = PEAKS[target](isa);
  return { gflops: (await measure()) / 1e9, what };
}

/**
 * By target: the kind of operation, and how it is measured, in operations a second.
 * @type {{[name in import("../api.d.ts").TargetName]:
 *   (isa: ISA) => {what: string, measure: () => Promise<number>}}}
 */
export const PEAKS = {
  webgpu: () => ({
    what: "fused f32 multiply-add on the graphics processor", measure: peakOfGpu,
  }),
  wasm: (isa) => ({
    what: `${WORDS[isa]} on one thread of WebAssembly`, measure: () => peakOfWasm(isa),
  }),
  js: () => ({ what: "f64 multiply, then add, in JavaScript", measure: peakOfJs }),
};
const WORDS = { relaxed: "fused f32 multiply-add", simd128: "f32 multiply, then add," };

/** @param {ISA} isa */
async function peakOfWasm(isa) {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
  const { instance } = await WebAssembly.instantiate(embedded(MODULES[isa]), { "": { memory } });
  const exports = functionsOf(instance);
  return best((rounds) => exports.spin(rounds), FLOPS);
}

function peakOfJs() {
  return best(spin, 16);
}

/** Eight sums keep a processor's units busy, as in emit/wasm/peak.py. @param {number} rounds */
function spin(rounds) {
  let a = 0, b = 1, c = 2, d = 3, e = 4, f = 5, g = 6, h = 7;
  for (let i = 0; i < rounds; i++) {
    a = a * 0.5 + 1;
    b = b * 0.5 + 1;
    c = c * 0.5 + 1;
    d = d * 0.5 + 1;
    e = e * 0.5 + 1;
    f = f * 0.5 + 1;
    g = g * 0.5 + 1;
    h = h * 0.5 + 1;
  }
  return a + b + c + d + e + f + g + h;
}

/**
 * @param {(rounds: number) => unknown} spin
 * @param {number} flops  operations of a round
 * @returns {Promise<number>} the highest rate that was seen, in operations a second
 */
async function best(spin, flops) {
  let rate = 0;
  const end = performance.now() + WARM;
  for (let rounds = 1 << 16; performance.now() < end || !rate;) {
    const started = performance.now();
    spin(rounds);
    const ms = performance.now() - started;
    if (ms < LONG) rounds *= 2;
    else rate = Math.max(rate, (1000 * flops * rounds) / ms);
    await new Promise((resolve) => { setTimeout(resolve); }); // the page lives on
  }
  return rate;
}

const VECTORS = Array.from({ length: 8 }, (_, k) => `s${k}`);
const ROUND = VECTORS.map((s) => `${s} = fma(${s}, half, one);`).join(" ");
const SHADER = `
@group(0) @binding(0) var<storage, read_write> sums: array<vec4f>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let half = vec4f(0.5);
  let one = vec4f(f32(id.x));
  ${VECTORS.map((s) => `var ${s} = one;`).join(" ")}
  for (var i = 0u; i < ${ROUNDS / 4}u; i++) {
    ${Array(4).fill(ROUND).join("\n    ")}
  }
  sums[id.x % 256] = ${VECTORS.join(" + ")};
}`;
const GROUP_FLOPS = 256 * ROUNDS * VECTORS.length * 8;

/** Over as many workgroups as take GPU_LONG. @returns {Promise<number>} operations a second */
async function peakOfGpu() {
  const { device } = await acquire();
  const module = device.createShaderModule({ code: SHADER });
  const pipeline = await device.createComputePipelineAsync(
    { layout: "auto", compute: { module } });
  const buffer = device.createBuffer({ size: 256 * 16, usage: GPUBufferUsage.STORAGE });
  const group = device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0), entries: [{ binding: 0, resource: { buffer } }] });
  const measure = device.features.has("timestamp-query") ? byTimestamps : byWaiting;
  let rate = 0;
  for (let count = 1, left = 3; left;) {
    const [ms] = await measure(device, [{ pipeline, group, groups: [count, 1] }]);
    if (ms < GPU_LONG && count < MOST) {
      count = Math.min(2 * count, MOST);
    } else {
      rate = Math.max(rate, (1000 * GROUP_FLOPS * count) / ms);
      left--;
    }
  }
  buffer.destroy();
  return rate;
}
