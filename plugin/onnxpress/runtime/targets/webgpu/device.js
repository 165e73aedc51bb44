/** The GPU: one device for all models of a page, and what became of it. */
import { PressError } from "../../errors.js";

/** @typedef {{device: GPUDevice, lost: GPUDeviceLostInfo|null}} Gpu */

/** Makers of phones' graphics, and what NVIDIA, AMD and Intel call their cards' architectures. */
const PHONES = /arm|qualcomm|img-tec|imagination|samsung|broadcom/i;
const CARDS = /nvidia|amd.*(rdna|gcn)|intel.*(xe-.?hpg|xe-hpc|alchemist|battlemage)/i;

const SOFTWARE = /swiftshader|llvmpipe|lavapipe|warp|basic render/i;
const PATIENCE = 15_000; // milliseconds for an adapter or a device; some drivers never answer

/** @type {Promise<Gpu>|null} */
let shared = null;

/**
 * Whether WebGPU can be used here; makes no device.
 * @returns {Promise<{ok: boolean, software: boolean, reason: string, kind: string,
 *   features: string[]}>} `software`: the processor emulates a GPU; `reason` is a sentence's end,
 *   empty where all is well; `kind`: the class that programs are made for (emit/wgsl/device.py)
 */
export async function probe() {
  try {
    const adapter = await findAdapter();
    const features = [...adapter.features];
    return { ok: true, software: isSoftware(adapter), reason: "", kind: kindOf(adapter), features };
  } catch (error) {
    return { ok: false, software: false, reason: error.message, kind: "", features: [] };
  }
}

/** @returns {Promise<GPUAdapter>} */
async function findAdapter() {
  const gpu = globalThis.navigator?.gpu;
  if (!gpu) throw new PressError("webgpu-missing", "this browser does not offer WebGPU here");
  const ask = () => gpu.requestAdapter({ powerPreference: "high-performance" });
  // Chromium answers null while its GPU process starts anew.
  const asked = ask().then((adapter) => adapter ?? ask());
  const adapter = await patiently(asked, "webgpu-adapter", "the browser could not reach the GPU");
  if (!adapter) throw new PressError("webgpu-adapter", "the browser found no usable GPU");
  return adapter;
}

/** @param {GPUAdapter} adapter */
function isSoftware(adapter) {
  const { info } = adapter;
  const fallback = info?.isFallbackAdapter ?? adapter.isFallbackAdapter ?? false;
  return fallback || SOFTWARE.test(`${info?.vendor} ${info?.architecture} ${info?.description}`);
}

/** See emit/wgsl/device.py. @param {GPUAdapter} adapter */
export function kindOf({ info, features }) {
  const name = `${info?.vendor} ${info?.architecture}`;
  const has = (format) => features.has(`texture-compression-${format}`);
  if (CARDS.test(name)) return "discrete";
  return !has("bc") || (has("astc") && PHONES.test(name)) ? "mobile" : "integrated";
}

/** The shared device, anew where the last one was lost or refused. @returns {Promise<Gpu>} */
export async function acquire() {
  const asked = shared ??= openDevice();
  const forget = () => { if (shared === asked) shared = null; };
  try {
    const gpu = await asked;
    if (!gpu.lost) return gpu;
  } catch (error) {
    forget();
    throw error;
  }
  forget();
  return acquire();
}

/** @returns {Promise<Gpu>} */
async function openDevice() {
  const adapter = await findAdapter();
  const requiredFeatures = ["timestamp-query", "subgroups", "shader-f16"]
    .filter((name) => adapter.features.has(name));
  const device = await patiently(
    adapter.requestDevice({ requiredFeatures }), "webgpu-device", "the GPU gave no device");
  const gpu = { device, lost: null };
  device.lost.then((info) => { gpu.lost = info; });
  return gpu;
}

/** `promise`, or PressError(code) where it fails or takes too long. */
async function patiently(promise, code, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("no answer")), PATIENCE);
  });
  try {
    return await Promise.race([promise, late]);
  } catch (error) {
    throw new PressError(code, `${what} (${error.message})`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

/** The error to throw: a lost device explains whatever failed. @param {Gpu} gpu */
export async function translate(gpu, error) {
  // The news of a loss may come just after the failure that it causes.
  if (!gpu.lost) await new Promise((resolve) => { setTimeout(resolve, 20); });
  if (gpu.lost) {
    const message = `the GPU stopped (${gpu.lost.message || gpu.lost.reason || "unknown reason"})`;
    return new PressError("webgpu-lost", message, { cause: error });
  }
  return error;
}

/**
 * What `make` returns; throws PressError(code) where WebGPU refuses any of it. The scope opens and
 * closes before anything is awaited, so calls nest and models that open together do not mix.
 */
export async function guarded(device, filter, code, what, make) {
  device.pushErrorScope(filter);
  const made = make();
  const error = await device.popErrorScope();
  if (error) throw new PressError(code, `${what}: ${error.message}`);
  return made;
}
