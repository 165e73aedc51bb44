/** Runs a generated WebAssembly module, on one thread or on several that share its memory. */
import { aboutBuild } from "../detect.js";
import { executable, placeWeights, timeSteps } from "./linear.js";

const BYTES = Float32Array.BYTES_PER_ELEMENT;
const PAGE = 65536; // bytes
const ALONE = [0, 1, 0]; // the first of one thread, which has nothing of its own

/**
 * @typedef {Object} WasmAbout
 * @property {number} pages  of 64 KiB, for one thread
 * @property {number} bytes_per_thread  beyond them for each of several
 * @property {number} threads  beyond which no more pay
 *
 * @param {import("../types.js").Target & import("./linear.js").LinearAbout & WasmAbout} target
 * @param {(entry: Object) => Promise<ArrayBuffer>} fetchFile
 * @param {AsyncIterable<{name: string, data: Float32Array}>} weights
 * @param {{build: string, threads: number}} options
 */
export async function open(target, fetchFile, weights, { build, threads = 1 }) {
  const about = aboutBuild(target, build);
  const file = fetchFile(about.files[build]);
  if (threads === 1) return openAlone(about, file, weights);
  const { Team } = await import("./team.js");
  const team = new Team(threads);
  try {
    return await openShared(about, file, weights, team, threads);
  } catch (error) {
    team.end();
    throw error;
  }
}

async function openAlone(about, file, weights) {
  const memory = new WebAssembly.Memory({ initial: about.pages, maximum: about.pages });
  const compiling = file.then((bytes) => WebAssembly.compile(bytes))
    .then((module) => instantiate(module, memory))
    .then((exports) => ({
      ...bind(exports, memory, about),
      run: () => exports.run(...ALONE),
      profile: (steps) => timeSteps(steps, (index) => exports.step(index, ...ALONE)),
    }));
  return executable(about, await placeWeights(about, compiling, weights));
}

async function openShared(about, file, weights, team, threads) {
  const { pages, bytes_per_thread: own } = about;
  const all = pages + Math.ceil(threads * own / PAGE);
  const memory = new WebAssembly.Memory({ initial: all, maximum: all, shared: true });
  const starting = file.then((bytes) => WebAssembly.compile(sharing(bytes)))
    .then(async (module) => {
      await team.start(module, memory, (thread) => pages * PAGE + thread * own);
      return bind(await instantiate(module, memory), memory, about);
    })
    .then((program) => ({
      ...program,
      run: () => team.run(),
      profile: (steps) => team.profile(steps),
      end: () => team.end(),
    }));
  return executable(about, await placeWeights(about, starting, weights));
}

async function instantiate(module, memory) {
  const { exports } = await WebAssembly.instantiate(module, { "": { memory, barrier() {} } });
  return exports;
}

/**
 * The same module for a shared memory: its one import of a memory says so in the byte of flags that
 * follows the name and the kind.
 * @param {ArrayBuffer} bytes
 */
function sharing(bytes) {
  const code = new Uint8Array(bytes.slice(0));
  const start = String.fromCharCode(...code.subarray(0, 4096));
  code[start.indexOf("memory\x02\x01") + "memory\x02".length] = 3;
  return code;
}

function bind(exports, memory, { elements }) {
  return {
    heap: new Float32Array(memory.buffer, 0, elements),
    pack: (kind, source, target, args) =>
      exports[`pack_${kind}`](source * BYTES, target * BYTES, ...args),
  };
}
