/** Frames a second. */

/**
 * Two frames are under way at a time, as in kinds/picture/film.js. The first frame is not timed.
 * @param {import("../types.js").Model} model  with open frames
 * @param {() => VideoFrame|GPUTexture} grab
 * @param {Object<string, Float32Array>} others  the inputs that are no frame
 * @param {number} count  frames
 * @returns {Promise<number>} frames a second
 */
export async function drawFrames(model, grab, others, count) {
  await model.drawFrame(grab(), others);
  const begin = performance.now();
  let before = Promise.resolve();
  for (let i = 0; i < count; i++) {
    const now = model.drawFrame(grab(), {});
    await before;
    before = now;
  }
  await before;
  return (1000 * count) / (performance.now() - begin);
}
