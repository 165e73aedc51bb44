/** A video through a model on the GPU, frame by frame; nothing is read back. */
import { PressError, factsOf } from "../../errors.js";

const AHEAD = 2; // frames under way: the GPU works on one while the next is on its way
const SECOND = 1000; // ms

/** @typedef {Object<string, Float32Array>} Arrays  by the input's name */

/**
 * Paints the video's frames as they come, and skips frames where the GPU is still busy. With
 * reduced motion it paints one a second.
 * @param {import("../../types.js").Model} model
 * @param {import("../contract.d.ts").LiveDemo} demo
 * @param {{video: HTMLVideoElement}} source  playing
 * @param {import("../contract.d.ts").LiveOptions} options  `onRate` is told frames per second
 * @returns {Promise<boolean>} true when the signal or a hidden page has ended it, false at once
 *   where the model is not on WebGPU
 * @throws {PressError} "camera": the video has ended; or what Model.drawFrame throws
 */
export async function film(model, demo, { video }, { signal, onStart, onRate }) {
  const { surface, capture, reveal } = demo.film();
  try {
    await model.openFrames(surface.transferControlToOffscreen()); // a lost device is opened anew
  } catch (error) {
    if (factsOf(error).code === "frames") return false;
    throw error;
  }
  onStart();
  const latest = newsOf(() => demo.others());
  const rate = countFrames(onRate);
  const draw = async () => {
    capture(video);
    await model.drawFrame(await grab(video), latest());
  };
  const painted = () => {
    reveal();
    rate();
  };
  try {
    await eachFrame(video, draw, painted, signal);
    return true;
  } catch (error) {
    throw factsOf(error).code === "webgpu-lost" ? stopped(error) : error;
  } finally {
    model.closeFrames().catch(() => {}); // the model may be gone
  }
}

/**
 * Calls `draw` for each frame that it can keep up with, and `painted` after each, until the end.
 * @param {HTMLVideoElement} video
 * @param {() => Promise<void>} draw
 * @param {() => void} painted
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
function eachFrame(video, draw, painted, signal) {
  const end = new AbortController();
  /** @param {EventTarget} target @param {string} type @param {() => void} listener */
  const listen = (target, type, listener) =>
    target.addEventListener(type, listener, { signal: end.signal });
  const gap = matchMedia("(prefers-reduced-motion: reduce)").matches ? SECOND : 0;
  let underWay = 0;
  let last = -Infinity;
  /** @type {Promise<void>} */
  const over = new Promise((resolve, reject) => {
    /** @param {number} now  ms */
    const step = (now) => {
      if (end.signal.aborted) return;
      video.requestVideoFrameCallback(step);
      if (underWay === AHEAD || now - last < gap) return;
      underWay++;
      last = now;
      draw().then(() => end.signal.aborted || painted()).catch(reject).finally(() => underWay--);
    };
    listen(signal, "abort", resolve);
    listen(document, "visibilitychange", () => document.hidden && resolve());
    const [track] = /** @type {MediaStream} */ (video.srcObject).getVideoTracks();
    listen(track, "ended", () => reject(new PressError("camera",
      "The camera has been switched off or unplugged. Connect it and start it again.")));
    if (signal.aborted || document.hidden) resolve();
    else video.requestVideoFrameCallback(step);
  });
  return over.finally(() => end.abort());
}

/**
 * @param {HTMLVideoElement} video
 * @returns {VideoFrame|Promise<ImageBitmap>} its frame, which a worker takes over without a copy
 */
function grab(video) {
  return globalThis.VideoFrame ? new VideoFrame(video) : createImageBitmap(video);
}

/** @param {unknown} error @returns {PressError} */
function stopped(error) {
  return new PressError("camera", `The camera's picture has stopped: ${factsOf(error).message}. ` +
    "Start the camera again.", { cause: error });
}

/**
 * @param {(perSecond: number) => void} onRate
 * @returns {() => void} to be called at each frame
 */
function countFrames(onRate) {
  let frames = 0;
  let since = performance.now();
  return () => {
    frames++;
    const passed = performance.now() - since;
    if (passed < SECOND) return;
    onRate((frames * SECOND) / passed);
    frames = 0;
    since += passed;
  };
}

/**
 * @param {() => Arrays} read
 * @returns {() => Arrays} the arrays that have changed since the last call
 */
function newsOf(read) {
  /** @type {Arrays} */
  let before = {};
  return () => {
    const now = read();
    /** @param {[string, Float32Array]} entry */
    const differs = ([name, data]) => data.some((value, i) => value !== before[name]?.[i]);
    const news = Object.fromEntries(Object.entries(now).filter(differs));
    before = now;
    return news;
  };
}
