/** The GPU: one device for all models of a page, and whether it is lost. */
import { PressError, factsOf } from "../../errors.js";

/** @typedef {{device: GPUDevice, lost: GPUDeviceLostInfo|null}} Gpu */

/**
 * Makers of GPUs for phones, and the names of NVIDIA's, AMD's and Intel's discrete architectures.
 */
const PHONES = /arm|qualcomm|img-tec|imagination|samsung|broadcom/i;
const CARDS = /nvidia|amd.*(rdna|gcn)|intel.*(xe-.?hpg|xe-hpc|alchemist|battlemage)/i;

const SOFTWARE = /swiftshader|llvmpipe|lavapipe|warp|basic render/i;
const PATIENCE = 15_000; // ms for an adapter or a device: some drivers never answer
/** Features that programs can use. @type {GPUFeatureName[]} */
const FEATURES = ["timestamp-query", "subgroups", "shader-f16"];

/** @type {Promise<Gpu>|null} */
let shared = null;

/**
 * Whether WebGPU can be used here; makes no device.
 * @returns {Promise<{ok: boolean, software: boolean, reason: string, kind: string, features:
 *   string[]}>} `software`: the processor emulates a GPU; `reason`: the end of a sentence, empty
 *   where `ok`; `kind`: the class of devices that a build is for (emit/wgsl/device.py)
 */
export async function probe() {
  try {
    const adapter = await findAdapter();
    const features = [...adapter.features];
    return { ok: true, software: isSoftware(adapter), reason: "", kind: kindOf(adapter), features };
  } catch (error) {
    const { message = `${error}` } = factsOf(error);
    return { ok: false, software: false, reason: message, kind: "", features: [] };
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

/** @param {GPUAdapter} adapter @returns {boolean} whether the processor emulates a GPU */
function isSoftware(adapter) {
  const { info } = adapter;
  const fallback = info?.isFallbackAdapter ?? adapter.isFallbackAdapter ?? false;
  return fallback || SOFTWARE.test(`${info?.vendor} ${info?.architecture} ${info?.description}`);
}

/**
 * @param {Pick<GPUAdapter, "info"|"features">} adapter
 * @returns {string} see emit/wgsl/device.py
 */
export function kindOf({ info, features }) {
  const name = `${info?.vendor} ${info?.architecture}`;
  /** @param {string} format */
  const has = (format) => features.has(`texture-compression-${format}`);
  if (CARDS.test(name)) return "discrete";
  return !has("bc") || (has("astc") && PHONES.test(name)) ? "mobile" : "integrated";
}

/** The shared device; a new one where the last one was lost or refused. @returns {Promise<Gpu>} */
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
  const requiredFeatures = FEATURES.filter((name) => adapter.features.has(name));
  const device = await patiently(
    adapter.requestDevice({ requiredFeatures }), "webgpu-device", "the GPU gave no device");
  /** @type {Gpu} */
  const gpu = { device, lost: null };
  device.lost.then((info) => { gpu.lost = info; });
  return gpu;
}

/**
 * Waits for a promise, but not longer than PATIENCE.
 * @template T
 * @param {Promise<T>} promise
 * @param {string} code
 * @param {string} what  failed: the begin of the message
 * @returns {Promise<T>}
 * @throws {PressError} with the code: the promise fails or takes too long
 */
async function patiently(promise, code, what) {
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  let timer;
  /** @type {Promise<never>} */
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("no answer")), PATIENCE);
  });
  try {
    return await Promise.race([promise, late]);
  } catch (error) {
    throw new PressError(code, `${what} (${factsOf(error).message})`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

/**
 * The error to throw: a lost device explains every failure.
 * @param {Gpu} gpu
 * @param {unknown} [error]
 * @returns {Promise<unknown>}
 */
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
 * Calls `make` in an error scope. The scope opens and closes before anything is awaited, so calls
 * nest and models that open together do not mix.
 * @template T
 * @param {GPUDevice} device
 * @param {GPUErrorFilter} filter
 * @param {string} code
 * @param {string} what  failed: the begin of the message
 * @param {() => T|Promise<T>} make
 * @returns {Promise<T>} what `make` returns
 * @throws {PressError} with the code: WebGPU refuses a call
 */
export async function guarded(device, filter, code, what, make) {
  device.pushErrorScope(filter);
  const made = make();
  const error = await device.popErrorScope();
  if (error) throw new PressError(code, `${what}: ${error.message}`);
  return made;
}
