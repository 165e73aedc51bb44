/**
 * A program on workers that share no memory. Each holds all constants, and they send each other the
 * elements that the build has found to be needed elsewhere. This side does the first part; peer.js
 * does the others.
 */
import { startModule, startScript } from "../../load/carried.js";
import { openPart } from "./part.js";

/** Parts that this side does. */
export const HERE = 1;

/** @returns {Worker} that runs peer.js */
export const startWorker = () => startScript("targets/wasm/peer.js",
  () => startModule(new URL("./peer.js", import.meta.url)));

/**
 * @param {import("../../types.js").WasmTarget} about
 * @param {Promise<WebAssembly.Module>} compiling
 * @param {import("./team.js").Team} team
 * @returns {Promise<import("../common/linear.js").Program>}
 */
export async function start(about, compiling, team) {
  const module = await compiling;
  await team.here;
  const [mine, ...others] = connect(team.size + HERE);
  const [part] = await Promise.all([
    openPart(module, about, 0, mine),
    team.all((worker) => ({ job: "start", module, about, me: worker + HERE, ports: others[worker],
      moved: others[worker].filter((port) => port !== null) })),
  ]);
  /**
   * @template T
   * @param {(inputs: Float32Array[]) => Promise<T>} doPart  does the part of this side
   * @param {Float32Array[]} inputs
   * @returns {Promise<T>}
   */
  const together = async (doPart, inputs) => {
    const others = team.all(() => ({ job: "run", ...moving(inputs) }));
    return (await Promise.all([doPart(inputs), others]))[0];
  };
  return {
    async place(constant) {
      const { name, stored } = constant;
      if (!about.weights.some(({ tensor }) => tensor === name)) return;
      const placing = team.all(() => {
        const { arrays: [bytes, scale], moved } = moving([stored.bytes, stored.scale]);
        return { job: "place", name, stored: { ...stored, bytes, scale }, moved };
      });
      part.place(constant);
      await placing;
    },
    run: (inputs) => together(part.run, inputs),
    profile: (inputs) => together(part.profile, inputs),
    end: () => team.end(),
  };
}

/**
 * Copies of arrays for a job: a view itself would bring all of its buffer.
 * @param {(Float32Array|Uint8Array|undefined)[]} arrays
 */
function moving(arrays) {
  const copies = arrays.map((array) => array?.slice());
  return { arrays: copies, moved: copies.flatMap((copy) => (copy ? [copy.buffer] : [])) };
}

/**
 * @param {number} size
 * @returns {(MessagePort|null)[][]} ports[from, to] between all parts; null from a part to itself
 */
function connect(size) {
  /** @type {(MessagePort|null)[][]} */
  const ports = Array.from({ length: size }, () => Array(size).fill(null));
  for (let a = 0; a < size; a++) {
    for (let b = 0; b < a; b++) {
      const { port1, port2 } = new MessageChannel();
      ports[a][b] = port1;
      ports[b][a] = port2;
    }
  }
  return ports;
}
