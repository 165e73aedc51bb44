/** A model in a module worker; remote.js is the other end. */
import { packError } from "./errors.js";
import { openModel } from "./model.js";

let model = null;
const running = new Map();

const describe = () => ({
  target: model.target, build: model.build, reason: model.reason, notes: model.notes,
  timings: model.timings, check: model.check, inputs: model.inputs, outputs: model.outputs,
});

const CALLS = {
  async open({ url, options }) {
    model = await openModel(url, {
      ...options,
      onProgress: (value) => postMessage({ event: "onProgress", value }),
      onFallback: (value) => postMessage({ event: "onFallback", value }),
    });
  },
  run({ id, inputs }) {
    const controller = new AbortController();
    running.set(id, controller);
    return model.run(inputs, { signal: controller.signal }).finally(() => running.delete(id));
  },
  profile: ({ inputs }) => model.profile(inputs),
};

addEventListener("message", async ({ data }) => {
  if (data.cancel) return running.get(data.cancel)?.abort();
  try {
    const value = await CALLS[data.call](data);
    const buffers = data.call === "run" ? Object.values(value).map((array) => array.buffer) : [];
    postMessage({ id: data.id, value, about: describe() }, buffers);
  } catch (error) {
    postMessage({ id: data.id, error: packError(error), about: model && describe() });
  }
});

postMessage({ event: "hello", value: { gpu: Boolean(navigator.gpu) } });
