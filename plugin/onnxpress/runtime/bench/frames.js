/** Frames a second. */

/**
 * Two frames are under way, as in film.js; one comes before the clock starts.
 * @param {import("../types.js").Model} model whose frames are open
 * @param {() => VideoFrame|GPUTexture} grab
 * @param {Object<string, Float32Array>} others the inputs that are no frame
 * @param {number} count
 * @returns {Promise<number>}
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
