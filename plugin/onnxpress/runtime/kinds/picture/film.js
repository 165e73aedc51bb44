/** A video through a model on the GPU, frame by frame; nothing is read back. */
import { PressError } from "../../errors.js";

const AHEAD = 2; // frames under way: the GPU works on one while the next is on its way
const SECOND = 1000;

/**
 * Paints the video's frames as they come, those that the GPU cannot keep up with left out; with
 * reduced motion one a second.
 * @param {import("../../types.js").Model} model
 * @param {import("../contract.d.ts").LiveDemo} demo
 * @param {{video: HTMLVideoElement}} source playing
 * @param {import("../contract.d.ts").LiveOptions} options `onRate` is told frames per second
 * @returns {Promise<boolean>} true when the signal or a hidden page has ended it, false at once
 *   where the model is not on WebGPU
 * @throws {PressError} "camera": the video has ended; or what Model.drawFrame throws
 */
export async function film(model, demo, { video }, { signal, onStart, onRate }) {
  const { surface, capture, reveal } = demo.film();
  try {
    await model.openFrames(surface.transferControlToOffscreen()); // a lost device is opened anew
  } catch (error) {
    if (error.code === "frames") return false;
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
    throw error.code === "webgpu-lost" ? stopped(error) : error;
  } finally {
    model.closeFrames().catch(() => {}); // where the model is gone, so are they
  }
}

/** `draw` for the frames that it can keep up with, `painted` after each until the end. */
function eachFrame(video, draw, painted, signal) {
  const end = new AbortController();
  const listen = (target, type, listener) =>
    target.addEventListener(type, listener, { signal: end.signal });
  const gap = matchMedia("(prefers-reduced-motion: reduce)").matches ? SECOND : 0;
  let underWay = 0;
  let last = -Infinity;
  return new Promise((resolve, reject) => {
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
    const [track] = video.srcObject.getVideoTracks();
    listen(track, "ended", () => reject(new PressError("camera",
      "The camera has been switched off or unplugged. Connect it and start it again.")));
    if (signal.aborted || document.hidden) resolve();
    else video.requestVideoFrameCallback(step);
  }).finally(() => end.abort());
}

/** @returns {VideoFrame|Promise<ImageBitmap>} what can be handed to a worker without a copy */
function grab(video) {
  return globalThis.VideoFrame ? new VideoFrame(video) : createImageBitmap(video);
}

function stopped(error) {
  return new PressError("camera", `The camera's picture has stopped: ${error.message}. ` +
    "Start the camera again.", { cause: error });
}

/** @returns {() => void} to be called with each frame */
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

/** @returns {() => Object<string, Float32Array>} those of `read()` that have changed */
function newsOf(read) {
  let before = {};
  return () => {
    const now = read();
    const differs = ([name, data]) => data.some((value, i) => value !== before[name]?.[i]);
    const news = Object.fromEntries(Object.entries(now).filter(differs));
    before = now;
    return news;
  };
}
