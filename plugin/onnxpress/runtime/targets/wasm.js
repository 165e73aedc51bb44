/**
 * Runs a generated WebAssembly module: on one thread, on several that share its memory, or on
 * workers with memories of their own.
 */
import { aboutBuild } from "./common/builds.js";
import { executable, onHeap, placeWeights, timeSteps } from "./common/linear.js";
import { ALONE, heapOf, instantiate, memoryOf } from "../load/instance.js";
import { compile } from "./wasm/compile.js";
import { placer } from "./wasm/place.js";
import { sharesMemory } from "./wasm/threads.js";
import { warm } from "./wasm/warm.js";

/** @typedef {import("../types.js").WasmTarget} WasmTarget */

/**
 * @param {WasmTarget} target
 * @param {import("./contract.d.ts").FetchFile} fetchFile
 * @param {AsyncIterable<import("../load/weights.js").Constant>} weights
 * @param {Pick<import("./contract.d.ts").OpenOptions, "build"|"threads">} options
 * @returns {Promise<import("./contract.d.ts").Executable>}
 * @throws {PressError} "prepare", "threads"
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
    const starting = several.start(about, compiling, team);
    return executable(about, await placeWeights(about, starting, weights));
  } catch (error) {
    team.end();
    throw error;
  }
}

/**
 * @param {WasmTarget} about
 * @param {Promise<WebAssembly.Module>} compiling
 * @returns {Promise<import("./common/linear.js").Program>}
 */
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
