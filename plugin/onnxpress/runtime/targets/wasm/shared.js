/** A program on several threads that share its memory; thread.js is the other end. */
import { startThread } from "../../load/carried.js";
import { onHeap } from "../common/linear.js";
import { heapOf, instantiate, memoryOf } from "../../load/instance.js";
import { placer } from "./place.js";
import { warm } from "./warm.js";

const PAGE = 65536; // bytes

export { startThread as startWorker };

/** Parts that are done here: waiting for others would block. */
export const HERE = 0;

/**
 * @param {import("../common/linear.js").LinearAbout & import("../wasm.js").WasmAbout} about
 * @param {Promise<WebAssembly.Module>} compiling
 * @param {import("./team.js").Team} team
 * @returns {Promise<import("../common/linear.js").Program>}
 */
export async function start(about, compiling, team) {
  const { pages, bytes_per_thread: own } = about;
  const memory = memoryOf(pages + Math.ceil(team.size * own / PAGE), true);
  const control = memoryOf(1, true);
  const module = await compiling;
  await team.here;
  await team.all((thread) => ({ job: "start", module, memory, control, thread, threads: team.size,
    own: pages * PAGE + thread * own }));
  const exports = await instantiate(module, memory);
  await warm(exports, about);
  return onHeap(about, heapOf(about, memory), {
    place: placer(about, exports, memory),
    run: () => team.all(() => ({ job: "run" })),
    profile: async (steps) => (await team.all(() => ({ job: "profile", steps })))[0],
    end: () => team.end(),
  });
}
