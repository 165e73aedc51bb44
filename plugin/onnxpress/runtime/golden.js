/** The golden check: random inputs whose outputs onnxruntime computed at build. */

/** Marsaglia's xorshift32 ("Xorshift RNGs", 2003); pack.py draws the same. @param {number} seed */
function generator(seed) {
  let s = seed || 1;
  return () => {
    s ^= s << 13;
    s ^= s >>> 17;
    s ^= s << 5;
    return ((s >>> 0) >>> 8) / 2 ** 24;
  };
}

/**
 * @param {import("./types.js").Golden} golden
 * @param {number[]} sizes elements of each input
 * @returns {Float32Array[]}
 */
export function goldenInputs(golden, sizes) {
  const draw = generator(golden.seed);
  return sizes.map((size, k) => {
    const [lo, hi] = golden.ranges[k];
    return Float32Array.from({ length: size }, () => lo + draw() * (hi - lo));
  });
}

/**
 * The largest |got - expected| / peak over all outputs; Infinity where a value is not a number.
 * @param {import("./types.js").Golden} golden
 * @param {Float32Array[]} outputs
 */
export function goldenError(golden, outputs) {
  let worst = 0;
  golden.outputs.forEach(({ indices, values, peak }, k) => {
    indices.forEach((at, i) => {
      const error = Math.abs(outputs[k][at] - values[i]) / (peak || 1);
      worst = Math.max(worst, Number.isNaN(error) ? Infinity : error);
    });
  });
  return worst;
}
