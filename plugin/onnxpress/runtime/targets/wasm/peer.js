/** A worker that does a part of a WebAssembly program; apart.js is the other end. */
import { openPart } from "./part.js";

/** @type {Awaited<ReturnType<typeof openPart>>} */
let part;

/**
 * @typedef {Object} Start
 * @property {WebAssembly.Module} module
 * @property {import("../../types.js").WasmTarget} about
 * @property {number} me
 * @property {(MessagePort|null)[]} ports
 *
 * @typedef {Pick<import("../../load/weights.js").Constant, "name"|"stored">} Stored
 */

const JOBS = {
  /** @param {Start} job */
  async start({ module, about, me, ports }) {
    part = await openPart(module, about, me, ports);
  },

  /** @param {Stored} job */
  place: ({ name, stored }) => part.place({ name, stored }),

  /** @param {{arrays: Float32Array[]}} job */
  async run({ arrays: inputs }) {
    await part.run(inputs);
  },
};

addEventListener("message", async ({ data }) => {
  /** @type {keyof typeof JOBS} */
  const job = data.job;
  try {
    postMessage({ value: await JOBS[job](data) });
  } catch (error) {
    setTimeout(() => { // outside a promise it is an error of the worker itself
      throw error;
    });
  }
});
postMessage({ value: "here" });
