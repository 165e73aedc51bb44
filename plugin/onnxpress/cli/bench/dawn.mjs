/**
 * Packs measured under Dawn, the WebGPU of Chromium, in Node: no browser, no Python.
 *
 *   node dawn.mjs PACK... [--runs N] [--frames N] [--device-first] [--json]
 *
 * PACK is a folder that `onnxpress compile` wrote. If navigator.gpu is not there already (node
 * --import ...), it comes from the npm package webgpu in the current folder or a folder above it.
 * --frames: textures drawn per second by a model from picture to picture. --device-first: the clock
 * of the first figures starts when the device and the scripts are ready. Each pack gets a process
 * of its own, so that each first run is truly the first.
 */
import { spawn } from "node:child_process";
import { readFile, readdir } from "node:fs/promises";
import { createRequire, register } from "node:module";
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

/**
 * @typedef {import("../../runtime/types.js").Manifest} Manifest
 * @typedef {import("../../runtime/bench/measure.js").Facts} Facts
 * @typedef {{runs: string, frames?: string, "device-first"?: boolean}} Options
 *
 * @typedef {Object} Bench  What a measurement needs.
 * @property {typeof import("../../runtime/api.d.ts").load} load
 * @property {typeof import("../../runtime/targets/webgpu/device.js").acquire} acquire
 * @property {string} url  of the manifest
 * @property {Manifest} manifest
 * @property {Options} options
 *
 * @typedef {Map<string, Buffer>} Files  URL -> content
 * @typedef {{size: string, live: number, reason: string}} FrameFacts  `live`: frames a second
 * @typedef {{pack: string, engine: string, device_first: boolean} & (Facts | FrameFacts)} Measured
 */

const FILE = fileURLToPath(import.meta.url);
/** @type {import("node:util").ParseArgsOptionsConfig} */
const OPTIONS = {
  runs: { type: "string", default: "10" }, frames: { type: "string" },
  "device-first": { type: "boolean" }, json: { type: "boolean" }, child: { type: "boolean" },
};
const INSTALL = "install the package webgpu here (npm install webgpu), or set NODE_OPTIONS to " +
  "--import a module that sets navigator.gpu";

/** A sentence about a fault of this machine or of the call. */
class Refusal extends Error {}

// --- The parts of a browser ---

async function provideGpu() {
  if (globalThis.navigator?.gpu) return;
  let made;
  try {
    const path = createRequire(join(process.cwd(), "_")).resolve("webgpu");
    made = await import(pathToFileURL(path).href);
  } catch (error) {
    const { code, message = "" } = Object(error);
    const why = code === "MODULE_NOT_FOUND" ? "" : ` (${message.split("\n")[0]})`;
    throw new Refusal(`there is no WebGPU in this Node${why}: ${INSTALL}`);
  }
  Object.assign(globalThis, made.globals);
  const exact = "disable-dawn-features=timestamp_quantization"; // else steps of 65 microseconds
  const value = { gpu: made.create([exact]), userAgent: "Node" };
  Object.defineProperty(globalThis, "navigator", { value, configurable: true });
}

/** Loads the runtime's .js files as modules, because no package.json says that they are. */
const AS_MODULES = `export const load = (url, context, next) => next(url,
  url.startsWith("file:") && url.endsWith(".js") ? { ...context, format: "module" } : context);`;

/**
 * Provides as much of a page at the address `base` as onnxpress.js needs.
 * @param {string} base
 * @param {Files} files
 */
function providePage(base, files) {
  Object.assign(globalThis, {
    HTMLElement: class {},
    customElements: { get: () => undefined, define: () => {} },
    document: { baseURI: base },
    location: new URL(base),
    addEventListener: () => {},
    removeEventListener: () => {},
    /** @param {string|URL} url */
    fetch: async (url) => {
      const content = files.get(String(url));
      return content ? new Response(streamOf(content)) : new Response(null, { status: 404 });
    },
  });
}

/**
 * A stream of the content, because Node would copy the buffer of a Response.
 * @param {Buffer} content
 */
function streamOf(content) {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(new Uint8Array(content.buffer, content.byteOffset, content.byteLength));
      controller.close();
    },
  });
}

/** @param {string} folder @param {string} base @returns {Promise<Files>} all files of the pack */
async function readPack(folder, base) {
  const names = (await readdir(folder, { withFileTypes: true }))
    .filter((entry) => entry.isFile()).map(({ name }) => name);
  /** @type {Files} */
  const files = new Map();
  await Promise.all(names.map(async (name) => {
    files.set(new URL(name, base).href, await readFile(join(folder, name)));
  }));
  return files;
}

// --- One pack ---

/** @param {string} folder @param {Options} options @returns {Promise<Measured>} */
async function measurePack(folder, options) {
  const base = pathToFileURL(`${resolve(folder)}/`).href;
  const url = new URL("manifest.json", base).href;
  const files = await readPack(folder, base).catch((error) => {
    throw new Refusal(`${folder}: cannot be read: ${error.message}`);
  });
  const text = files.get(url);
  if (!text || !files.has(new URL("onnxpress.js", base).href)) {
    throw new Refusal(`${folder}: holds no manifest.json beside onnxpress.js; ` +
      "give a folder that onnxpress compile wrote");
  }
  await provideGpu();
  providePage(base, files);
  const { load, $targets_webgpu_device: { acquire } } = await import(
    new URL("onnxpress.js", base).href);
  /** @type {Manifest} */
  const manifest = JSON.parse(String(text));
  if (options["device-first"]) {
    await acquire();
    await import(new URL("targets/webgpu.js", base).href);
    await warmUp();
  }
  const measured = options.frames ? measureFrames : measureRuns;
  return {
    pack: manifest.name, target: "webgpu", engine: await nameEngine(),
    device_first: Boolean(options["device-first"]),
    ...await measured({ load, acquire, url, manifest, options }),
  };
}

/** Uses streams and hashes once, because Node compiles them when they are first used. */
async function warmUp() {
  const bytes = new Uint8Array(8);
  await crypto.subtle.digest("SHA-256", bytes);
  const packed = new Response(bytes).body?.pipeThrough(new CompressionStream("deflate"));
  await new Response(packed?.pipeThrough(new DecompressionStream("deflate"))).arrayBuffer();
}

async function nameEngine() {
  const adapter = await navigator.gpu.requestAdapter();
  const { vendor, device, description } = Object(adapter?.info);
  return `Dawn in Node ${process.versions.node}, ${description || device || vendor || "GPU"}`;
}

/** @param {Bench} bench @returns {Promise<Facts>} */
async function measureRuns({ load, url, manifest, options }) {
  const { measure } = await import("../../runtime/bench/measure.js");
  return measure(load, url, manifest, { target: "webgpu" }, Number(options.runs));
}

/**
 * Texture to texture: the work of the camera's page without its camera and its canvas.
 * @param {Bench} bench
 * @returns {Promise<FrameFacts>}
 */
async function measureFrames({ load, acquire, url, manifest, options }) {
  const { loadTask } = await import("../../runtime/tasks.js");
  const { given, task } = manifest.demo ?? {};
  if (!given || !task || !(await loadTask(task.name)).planFrames) {
    throw new Refusal(
      `${manifest.name}: --frames needs a pack whose demo turns a picture into a picture`);
  }
  const { goldenInputs } = await import("../../runtime/model/golden.js");
  const { drawFrames } = await import("../../runtime/bench/frames.js");
  const model = await load(url, { target: "webgpu", manifest });
  const { device } = await acquire();
  const drawn = goldenInputs(manifest.golden, model.inputs);
  const others = Object.fromEntries(model.inputs.flatMap(({ name }, i) => (
    name === given.input ? [] : [[name, Float32Array.from(drawn[i])]])));
  const textures = [0, 1].map(() => paintedTexture(device, given.size));
  /** @type {unknown} */
  const canvas = new TextureCanvas(); // not a whole one
  await model.openFrames(/** @type {OffscreenCanvas} */ (canvas));
  let next = 0;
  const grab = () => textures[next++ % 2];
  const live = await drawFrames(model, grab, others, Number(options.frames));
  return { size: given.size.join("x"), live, reason: model.reason };
}

/**
 * A texture of noise in the picture's size.
 * @param {GPUDevice} device
 * @param {[height: number, width: number]} size
 */
function paintedTexture(device, [height, width]) {
  const { TEXTURE_BINDING, COPY_SRC, COPY_DST } = GPUTextureUsage;
  const texture = device.createTexture({ size: [width, height], format: "rgba8unorm",
    usage: TEXTURE_BINDING | COPY_SRC | COPY_DST });
  const pixels = Uint8Array.from({ length: 4 * width * height }, () => 256 * Math.random());
  device.queue.writeTexture({ texture }, pixels, { bytesPerRow: 4 * width }, [width, height]);
  return texture;
}

/** As much of a canvas as frames need: two textures that take turns. */
class TextureCanvas {
  width = 0;
  height = 0;
  /** @type {GPUTexture[]} */
  #textures = [];

  getContext() {
    return {
      canvas: this,
      /** @param {GPUCanvasConfiguration} configuration */
      configure: ({ device, format }) => {
        const size = [this.width, this.height];
        const usage = GPUTextureUsage.RENDER_ATTACHMENT;
        this.#textures = [0, 1].map(() => device.createTexture({ size, format, usage }));
      },
      getCurrentTexture: () => {
        this.#textures.reverse();
        return this.#textures[0];
      },
      unconfigure: () => this.#textures.forEach((texture) => texture.destroy()),
    };
  }
}

// --- All packs ---

/**
 * Measures one pack in a process of its own.
 * @param {string} pack
 * @param {string[]} args
 * @returns {Promise<Measured>}
 */
function inOwnProcess(pack, args) {
  const child = spawn(process.execPath, [...process.execArgv, FILE, pack, ...args, "--child"],
    { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.on("data", (part) => { text += part; });
  return new Promise((done, fail) => {
    child.on("error", fail);
    child.on("close", (status) => (
      status === 0 ? done(JSON.parse(text)) : fail(status === 2 ? new Refusal(text.trim())
        : new Error(text.trim() || `${pack}: the process ended with status ${status}`))));
  });
}

/** @param {Measured} facts */
async function print(facts) {
  /** @param {string} text */
  const line = (text) => process.stdout.write(`${text}\n`);
  if ("live" in facts) {
    return line(`${facts.pack}: ${facts.live.toFixed(1)} frames per second at ${facts.size}, ` +
      `texture to texture. ${facts.engine}.`);
  }
  const { HEAD, tableOf } = await import("../../runtime/bench/table.js");
  line(`\n${facts.pack}`);
  const rows = [HEAD, ...tableOf(facts)];
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  for (const row of rows) {
    line(row.map((cell, i) => cell[i ? "padStart" : "padEnd"](widths[i])).join("  "));
  }
  const { load_ms, first_ms, median_ms, min_ms, count } = facts.run;
  const since = facts.device_first ? "with a device that was ready" : "the device included";
  line(`From bytes in memory, ${since}: loaded in ${load_ms.toFixed(1)} ms, first run ` +
    `${first_ms.toFixed(1)} ms; then from array to array median ${median_ms.toFixed(2)} ms, min ` +
    `${min_ms.toFixed(2)} ms of ${count}. Each step: the ${facts.each.what} of ` +
    `${facts.each.count}. Machine peak: ${facts.peak.gflops.toFixed(0)} GFLOP/s, ` +
    `${facts.peak.what}. ${facts.engine}.`);
}

async function main() {
  register(`data:text/javascript,${encodeURIComponent(AS_MODULES)}`);
  const { values, positionals: packs } = parseArgs({ options: OPTIONS, allowPositionals: true });
  if (values.child) {
    const options = /** @type {Options} */ (values);
    return process.stdout.write(JSON.stringify(await measurePack(packs[0], options)));
  }
  if (!packs.length) throw new Refusal("give one or more folders that onnxpress compile wrote");
  for (const name of ["runs", "frames"]) {
    if (values[name] !== undefined && !(Number(values[name]) >= 1)) {
      throw new Refusal(`--${name}: "${values[name]}" is not a number of at least 1`);
    }
  }
  const args = process.argv.slice(2).filter((arg) => !packs.includes(arg));
  const all = [];
  for (const pack of packs) {
    const facts = await inOwnProcess(pack, args);
    all.push(facts);
    if (!values.json) await print(facts);
  }
  if (values.json) process.stdout.write(`${JSON.stringify(all, null, 1)}\n`);
}

// Dawn's threads outlive their work, so the script ends the process.
main().then(() => process.exit(0), (error) => {
  const known = error instanceof Refusal || error.name === "PressError";
  const text = known ? error.message : error.stack;
  (process.argv.includes("--child") ? process.stdout : process.stderr).write(`${text}\n`);
  process.exit(known ? 2 : 1);
});
