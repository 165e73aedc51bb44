/** A page's models in a module worker; remote.js is the other end. */
import { packError } from "./errors.js";
import { openModel } from "./model/model.js";

/** By the page's numbers: models, and of each the calls under way. */
const models = new Map();
const calls = new Map();

const describe = (model) => ({
  target: model.target, build: model.build, threads: model.threads, reason: model.reason,
  notes: model.notes, timings: model.timings, check: model.check,
  inputs: model.inputs, outputs: model.outputs,
});

/** Checks whose end the page is told already, or will be. */
const followed = new WeakSet();

function follow(key, model) {
  const { checked } = model;
  if (followed.has(checked)) return;
  followed.add(checked);
  checked.then((holds) => ({ holds }), (error) => ({ error: packError(error) })).then((outcome) =>
    postMessage({ key, event: "checked", value: { ...outcome, about: describe(model) } }));
}

const CALLS = {
  async open({ key, url, options }, signal) {
    const model = await openModel(url, {
      ...options, signal,
      onProgress: (value) => postMessage({ key, event: "onProgress", value }),
      onFallback: (value) => postMessage({ key, event: "onFallback", value }),
    });
    if (signal.aborted) model.dispose();
    signal.throwIfAborted();
    models.set(key, model);
    model.stored.then(() => {
      postMessage({ key, event: "about", value: describe(model) });
      postMessage({ key, event: "stored" });
    });
  },
  run: async ({ key, inputs }, signal) => models.get(key).run(inputs, { signal }),
  profile: async ({ key, inputs }) => models.get(key).profile(inputs),
  openFrames: async ({ key, canvas }) => models.get(key).openFrames(canvas),
  drawFrame: async ({ key, frame, changed }) => models.get(key).drawFrame(frame, changed),
  closeFrames: async ({ key }) => models.get(key).closeFrames(),
};

function dispose(key) {
  for (const call of calls.values()) if (call.key === key) call.stop.abort();
  models.get(key)?.dispose();
  models.delete(key);
}

addEventListener("message", async ({ data }) => {
  if (data.cancel) return calls.get(data.cancel)?.stop.abort();
  if (data.dispose) return dispose(data.dispose);
  const { id, key, call } = data;
  const stop = new AbortController();
  calls.set(id, { key, stop });
  const [answer, buffers] = await CALLS[call](data, stop.signal).then(
    (value) => [{ value }, call === "run" ? Object.values(value).map(({ buffer }) => buffer) : []],
    (error) => [{ error: packError(error) }, []]);
  calls.delete(id);
  const model = models.get(key);
  if (model) {
    postMessage({ key, event: "about", value: describe(model) });
    follow(key, model);
  }
  postMessage({ id, ...answer }, buffers);
});

postMessage({ event: "hello", value: { gpu: Boolean(navigator.gpu) } });
