/** A program on several threads that share its memory; thread.js is the other end. */
import { startModule, startScript } from "../../load/carried.js";
import { onHeap } from "../common/linear.js";
import { heapOf, instantiate, memoryOf } from "../../load/instance.js";
import { placer } from "./place.js";
import { warm } from "./warm.js";

const PAGE = 65536; // bytes

/** Threads whose part this side does: none, as waiting for the others would block it. */
export const HERE = 0;

/** @returns {Worker} that runs thread.js */
export const startWorker = () => startScript("targets/wasm/thread.js",
  () => startModule(new URL("./thread.js", import.meta.url)));

/**
 * @param {import("../../types.js").WasmTarget} about
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
    profile: async (steps) => {
      const [times] = await team.all(() => ({ job: "profile", steps }));
      return /** @type {number[]} */ (times);
    },
    end: () => team.end(),
  });
}
