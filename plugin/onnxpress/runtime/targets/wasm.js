/**
 * Runs a generated WebAssembly module: on one thread, on several that share its memory, or on
 * workers with memories of their own.
 */
import { aboutBuild } from "./common/builds.js";
import { sharesMemory } from "./wasm/threads.js";
import { executable, onHeap, placeWeights, timeSteps } from "./common/linear.js";
import { compile } from "./wasm/compile.js";
import { ALONE, heapOf, instantiate, memoryOf } from "../load/instance.js";
import { placer } from "./wasm/place.js";
import { warm } from "./wasm/warm.js";

/**
 * @typedef {Object} WasmAbout
 * @property {number} pages  of 64 KiB, for one thread
 * @property {number} bytes_per_thread  beyond them for each of several
 * @property {number} threads  beyond which no more pay
 * @property {number} [workers]  that share no memory: beyond which no more pay; 1
 * @property {number} [most_workers]  of which the file says what they tell each other; 1
 *
 * @param {import("../types.js").Target & import("./common/linear.js").LinearAbout & WasmAbout} target
 * @param {import("./wasm/compile.js").FetchFile} fetchFile
 * @param {AsyncIterable<import("../load/weights.js").Constant>} weights
 * @param {{build: string, threads: number}} options
 */
export async function open(target, fetchFile, weights, { build, threads = 1 }) {
  const about = aboutBuild(target, build);
  const shared = threads > 1 && sharesMemory();
  const compiling = compile(fetchFile, about.files[build], shared);
  if (threads === 1) {
    return executable(about, await placeWeights(about, startAlone(about, compiling), weights));
  }
  compiling.catch(() => {}); // a failure is reported where the team starts
  const { Team } = await import("./wasm/team.js");
  const several = await (shared ? import("./wasm/shared.js") : import("./wasm/apart.js"));
  const team = new Team(threads - several.HERE, several.startWorker);
  try {
    return executable(about, await placeWeights(about, several.start(about, compiling, team), weights));
  } catch (error) {
    team.end();
    throw error;
  }
}

async function startAlone(about, compiling) {
  const memory = memoryOf(about.pages);
  const exports = await instantiate(await compiling, memory);
  await warm(exports, about);
  return onHeap(about, heapOf(about, memory), {
    place: placer(about, exports, memory),
    run: () => exports.run(...ALONE),
    profile: (steps) => timeSteps(steps, (index) => exports.step(index, ...ALONE)),
  });
}
