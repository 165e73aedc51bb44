/**
 * A program on workers that share no memory: each holds all constants, and they tell each other what
 * the build has found that they must. Who asks does the first part; peer.js does the others.
 */
import { startPeer } from "../../load/carried.js";
import { openPart } from "./part.js";

export { startPeer as startWorker };

/** Parts that are done here. */
export const HERE = 1;

/**
 * @param {import("../common/linear.js").LinearAbout & import("../wasm.js").WasmAbout} about
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
      moved: others[worker].filter(Boolean) })),
  ]);
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

/** A job's copies of the arrays that there are; a view itself would bring all of its buffer. */
function moving(arrays) {
  const copies = arrays.map((array) => array?.slice());
  return { arrays: copies, moved: copies.filter(Boolean).map(({ buffer }) => buffer) };
}

/** @param {number} size @returns {(MessagePort|null)[][]} of each part, to each other */
function connect(size) {
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
