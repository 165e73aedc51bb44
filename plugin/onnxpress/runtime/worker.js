/** A page's models in a module worker; model/host.js is the other end. */
import { gone, packError } from "./errors.js";
import { openModel } from "./model/model.js";
import { planFrames } from "./tasks.js";

/**
 * @typedef {import("./model/model.js").OpenModel} OpenModel
 * @typedef {import("./model/protocol.d.ts").Calls} Calls
 */

/** By the page's keys. @type {Map<number, OpenModel>} */
const models = new Map();
/** Calls under way, by their ids. @type {Map<number, {key: number, stop: AbortController}>} */
const calls = new Map();

/** @param {OpenModel} model @returns {import("./model/protocol.d.ts").About} */
const describe = (model) => ({
  target: model.target, build: model.build, threads: model.threads, reason: model.reason,
  notes: model.notes, timings: model.timings, check: model.check,
  inputs: model.inputs, outputs: model.outputs,
});

/** @param {number} key @returns {OpenModel} */
function modelOf(key) {
  const model = models.get(key);
  if (model) return model;
  throw gone();
}

/** Checks whose outcome the page has been told, or will be. @type {WeakSet<Promise<boolean>>} */
const followed = new WeakSet();

/** Tells the page of the check's outcome, once. @param {number} key @param {OpenModel} model */
function follow(key, model) {
  const { checked } = model;
  if (followed.has(checked)) return;
  followed.add(checked);
  checked.then((holds) => ({ holds }), (error) => ({ error: packError(error) })).then((outcome) =>
    postMessage({ key, event: "checked", value: { ...outcome, about: describe(model) } }));
}

/**
 * @type {{[Name in keyof Calls]: (message: {key: number} & Calls[Name]["given"],
 *   signal: AbortSignal) => Promise<Calls[Name]["answer"]>}}
 */
const CALLS = {
  async open({ key, url, options }, signal) {
    const model = await openModel(url, {
      ...options, signal, planFrames,
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
  run: async ({ key, inputs }, signal) => modelOf(key).run(inputs, { signal }),
  profile: async ({ key, inputs }) => modelOf(key).profile(inputs),
  openFrames: async ({ key, canvas }) => modelOf(key).openFrames(canvas),
  drawFrame: async ({ key, frame, changed }) => modelOf(key).drawFrame(frame, changed),
  closeFrames: async ({ key }) => modelOf(key).closeFrames(),
};

/** The memory of an answer's arrays, which goes over to the page. @param {unknown} answer */
const buffersOf = (answer) => Object.values(answer ?? {})
  .flatMap((part) => (ArrayBuffer.isView(part) ? [/** @type {ArrayBuffer} */ (part.buffer)] : []));

/** @param {number} key */
function dispose(key) {
  for (const call of calls.values()) if (call.key === key) call.stop.abort();
  models.get(key)?.dispose();
  models.delete(key);
}

addEventListener("message", async ({ data }) => {
  if (data.cancel) return calls.get(data.cancel)?.stop.abort();
  if (data.dispose) return dispose(data.dispose);
  const { id, key } = data;
  /** @type {keyof Calls} */
  const call = data.call;
  const stop = new AbortController();
  calls.set(id, { key, stop });
  const { value, error } = await CALLS[call](data, stop.signal).then(
    (answer) => ({ value: answer, error: undefined }),
    (fault) => ({ value: undefined, error: packError(fault) }));
  calls.delete(id);
  const model = models.get(key);
  if (model) {
    postMessage({ key, event: "about", value: describe(model) });
    follow(key, model);
  }
  postMessage({ id, value, error }, { transfer: buffersOf(value) });
});

postMessage({ event: "hello", value: { gpu: Boolean(navigator.gpu) } });
