/** A race of the GPU with one core of the processor: some names do not tell an emulated GPU. */
import { functionsOf } from "../../load/instance.js";
import { byWaiting } from "./commands.js";
import { acquire } from "./device.js";

const PATIENCE = 2000; // ms for the whole race
const REPEATS = 3; // the fastest counts
const TICK = 1; // ms: the coarsest clock that browsers have
const [GROUPS, LANES, STEPS] = [32, 64, 32];
const MULTIPLY_ADDS = GROUPS * LANES * STEPS * 8 * 16;

// Like a matrix product it goes through workgroup memory, whose barriers cost every emulation much.
const SHADER = `
@group(0) @binding(0) var<storage, read_write> out: array<f32, ${GROUPS * LANES}>;
var<workgroup> tile: array<vec4f, ${LANES}>;

@compute @workgroup_size(${LANES})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  var a = vec4f(f32(lane)); var b = a + 1.0; var c = a + 2.0; var d = a + 3.0;
  for (var step = 0u; step < ${STEPS}u; step++) {
    workgroupBarrier();
    tile[lane] = a;
    workgroupBarrier();
    for (var k = 0u; k < 8u; k++) {
      let x = tile[(lane + k) % ${LANES}u];
      a = a * 0.5 + x; b = b * 0.5 + x; c = c * 0.5 + x; d = d * 0.5 + x;
    }
  }
  out[group.x * ${LANES}u + lane] = dot(a + b + c + d, vec4f(1.0));
}`;

/** @param {(local: number) => number[]} code */
const each = (code) => [1, 2, 3, 4, 5, 6, 7, 8].flatMap(code);
/** @param {number[]} bytes  a little-endian f32 */
const splat = (...bytes) => [253, 12, ...bytes, ...bytes, ...bytes, ...bytes];
// (module (memory (export "memory") 0) (func (export "run") (param $count i32) (result f32)
//   (local $1 v128) ... (local $8 v128) (local $halves v128) (local $ones v128)
const CORE = [
  0, 97, 115, 109, 1, 0, 0, 0, 1, 6, 1, 96, 1, 127, 1, 125, 3, 2, 1, 0, 5, 3, 1, 0, 0,
  7, 16, 2, 6, 109, 101, 109, 111, 114, 121, 2, 0, 3, 114, 117, 110, 0, 0,
  10, 211, 1, 1, 208, 1, 1, 10, 123,
  // (local.set $halves (f32x4.splat 0.5)) (local.set $ones (f32x4.splat 1))
  ...splat(0, 0, 0, 63), 33, 9, ...splat(0, 0, 128, 63), 33, 10,
  // (loop (local.set $i (f32x4.add (f32x4.mul (local.get $i) (local.get $halves)) $ones)) ...
  3, 64, ...each((i) => [32, i, 32, 9, 253, 230, 1, 32, 10, 253, 228, 1, 33, i]),
  //   (br_if 0 (local.tee $count (i32.add (local.get $count) (i32.const -1)))))
  32, 0, 65, 127, 106, 34, 0, 13, 0, 11,
  // (f32x4.extract_lane 0 (f32x4.add ... (local.get $1) ... (local.get $8)))))
  ...each((i) => (i > 1 ? [32, i, 253, 228, 1] : [32, i])), 253, 31, 0, 11,
];
const PER_COUNT = 32; // multiply-adds of one round
const LONGER = 4; // times as much work, so that a clock's tick matters less

/** @type {Promise<string>|null} */
let raced = null;

/**
 * One race per page.
 * @returns {Promise<string>} the end of a sentence: why WebGPU comes last; empty where it is
 *   faster, or nobody knows
 */
export function whyLast() {
  /** @type {Promise<string>} */
  const late = new Promise((resolve) => { setTimeout(resolve, PATIENCE, ""); });
  return raced ??= Promise.race([race().catch(() => ""), late]);
}

async function race() {
  const core = await timeCore();
  const slower = await timeGpu() > core + TICK;
  return slower ? "one core of the processor is faster than the graphics device here" : "";
}

/** @returns {Promise<number>} milliseconds for MULTIPLY_ADDS */
async function timeCore() {
  const module = await WebAssembly.compile(new Uint8Array(CORE));
  const { run } = functionsOf(new WebAssembly.Instance(module));
  const times = [];
  for (let i = 0; i < REPEATS; i++) {
    const started = performance.now();
    run((LONGER * MULTIPLY_ADDS) / PER_COUNT);
    times.push((performance.now() - started) / LONGER);
    await new Promise((resolve) => { setTimeout(resolve); }); // the compiler optimizes meanwhile
  }
  return Math.min(...times);
}

/**
 * The time of all workgroups beyond the time of one, which is mostly the way there and back.
 * @returns {Promise<number>} milliseconds
 */
async function timeGpu() {
  const { device } = await acquire();
  const size = 4 * GROUPS * LANES;
  const buffer = device.createBuffer({ size, usage: GPUBufferUsage.STORAGE });
  try {
    const module = device.createShaderModule({ code: SHADER });
    const pipeline = await device.createComputePipelineAsync(
      { layout: "auto", compute: { module } });
    const layout = pipeline.getBindGroupLayout(0);
    const group = device.createBindGroup(
      { layout, entries: [{ binding: 0, resource: { buffer } }] });
    const one = [], all = [];
    for (let i = 0; i < REPEATS; i++) {
      const [first, second] = await byWaiting(
        device, [{ pipeline, group, groups: [1] }, { pipeline, group, groups: [GROUPS] }]);
      one.push(first);
      all.push(second);
    }
    return Math.min(...all) - Math.min(...one);
  } finally {
    buffer.destroy();
  }
}
