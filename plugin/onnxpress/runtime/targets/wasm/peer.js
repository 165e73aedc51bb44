/** A worker that does a part of a WebAssembly program; wasm_apart.js is the other end. */
import { openPart } from "./part.js";

let part;

const JOBS = {
  async start({ module, about, me, ports }) {
    part = await openPart(module, about, me, ports);
  },

  place: ({ name, stored }) => part.place({ name, stored }),

  async run({ arrays: inputs }) {
    await part.run(inputs);
  },
};

addEventListener("message", async ({ data }) => {
  try {
    postMessage({ value: await JOBS[data.job](data) });
  } catch (error) {
    setTimeout(() => { // where it counts as the worker's own
      throw error;
    });
  }
});
postMessage({ value: "here" });
