/** A video through a model on the GPU, frame by frame; nothing is read back. */
import { PressError } from "./errors.js";

const AHEAD = 2; // frames under way: the GPU works on one while the next is on its way
const SECOND = 1000;

/**
 * Paints the video's frames as they come, those that the GPU cannot keep up with left out; with
 * reduced motion one a second.
 * @param {import("./types.js").Model} model on WebGPU
 * @param {import("./demo.js").LiveDemo} demo
 * @param {HTMLVideoElement} video playing
 * @param {{signal: AbortSignal, onRate: (framesPerSecond: number) => void}} options `onRate` is
 *   called about once a second
 * @returns {Promise<void>} ends by the signal, or when the page is hidden
 * @throws {PressError} "camera": the video has ended; or what Model.drawFrame throws
 */
export async function film(model, demo, video, { signal, onRate }) {
  const { surface, capture, reveal } = demo.film();
  await model.openFrames(surface.transferControlToOffscreen());
  const end = new AbortController();
  const gap = matchMedia("(prefers-reduced-motion: reduce)").matches ? SECOND : 0;
  const rate = countFrames(onRate);
  const latest = newsOf(() => demo.others());
  let underWay = 0;
  let last = -Infinity;
  const draw = async () => {
    capture(video);
    await model.drawFrame(await grab(video), latest());
    reveal();
    rate();
  };
  try {
    await new Promise((resolve, reject) => {
      const listen = (target, type, listener) =>
        target.addEventListener(type, listener, { signal: end.signal });
      const step = (now) => {
        if (end.signal.aborted) return;
        video.requestVideoFrameCallback(step);
        if (underWay === AHEAD || now - last < gap) return;
        underWay++;
        last = now;
        draw().catch(reject).finally(() => underWay--);
      };
      listen(signal, "abort", resolve);
      listen(document, "visibilitychange", () => document.hidden && resolve());
      const [track] = video.srcObject.getVideoTracks();
      listen(track, "ended", () => reject(new PressError("camera",
        "The camera has been switched off or unplugged. Connect it and start it again.")));
      if (signal.aborted || document.hidden) resolve();
      else video.requestVideoFrameCallback(step);
    });
  } catch (error) {
    throw error.code === "webgpu-lost" ? stopped(error) : error;
  } finally {
    end.abort();
    model.closeFrames().catch(() => {}); // where the model is gone, so are they
  }
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
