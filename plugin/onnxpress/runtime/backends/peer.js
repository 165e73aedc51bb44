/** A worker that does a part of a WebAssembly program; wasm_apart.js is the other end. */
import { openPart } from "./part.js";

let part;

const JOBS = {
  async start({ module, about, me, ports }) {
    part = await openPart(module, about, me, ports);
  },

  place: ({ name, arrays: [data, bytes] }) => part.place({ name, data, stored: { bytes } }),

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
