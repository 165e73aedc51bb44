/**
 * A program on workers that share no memory: each holds all constants, and they tell each other what
 * the build has found that they must; peer.js is the other end.
 */
import { startPeer } from "../carried.js";
import { takesBytes } from "./linear.js";

export { startPeer as startWorker };

/**
 * @param {import("./linear.js").LinearAbout & import("./wasm.js").WasmAbout} about
 * @param {Promise<ArrayBuffer>} file
 * @param {import("./team.js").Team} team
 * @returns {Promise<import("./linear.js").Program>}
 */
export async function start(about, file, team) {
  const module = await WebAssembly.compile(await file);
  const ports = connect(team.size);
  await team.all((worker) => (
    { job: "start", module, about, worker, ports: ports[worker], moved: ports[worker].filter(Boolean) }));
  return {
    place({ name, data, stored }) {
      const kinds = about.weights.filter(({ tensor }) => tensor === name)
        .map((slot) => takesBytes(slot.pack));
      return team.all(() => {
        // A view would bring its whole shard.
        const content = { data: kinds.includes(false) && data.slice(),
          bytes: kinds.includes(true) && stored.bytes.slice() };
        const moved = Object.values(content).filter(Boolean).map(({ buffer }) => buffer);
        return { job: "place", name, ...content, moved };
      });
    },
    run: async (inputs) => (await team.all(() => ({ job: "run", inputs })))[0],
    profile: async (inputs) => (await team.all(() => ({ job: "profile", inputs })))[0],
    end: () => team.end(),
  };
}

/** @param {number} size @returns {(MessagePort|null)[][]} of each worker, to each other */
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
