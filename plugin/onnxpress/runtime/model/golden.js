/** The golden check: random inputs, whose outputs the published program gave at the build. */
import { PressError } from "../errors.js";
import { sizeOf } from "../tensors.js";

/**
 * @param {(inputs: Float32Array[]) => Promise<Float32Array[]>} run
 * @param {import("../types.js").Golden} golden
 * @param {import("../types.js").Port[]} ports  the model's inputs
 * @returns {Promise<import("../types.js").Check>}
 * @throws {PressError} "golden": the outputs differ too much; what the run throws
 */
export async function checkGolden(run, golden, ports) {
  const { tolerance, metric } = golden;
  const maxError = goldenError(golden, await run(goldenInputs(golden, ports)));
  if (maxError <= tolerance) return { maxError, tolerance, metric };
  let digits = 2; // as many as tell it from the tolerance
  while (Number(maxError.toPrecision(digits)) <= tolerance) digits++;
  throw new PressError("golden", "on this device its results differ from the reference by " +
    `${maxError.toPrecision(digits)} (${metric}), and only ${tolerance} is allowed`);
}

/**
 * Draws from 0 (included) to 1 (excluded), as proof/draws.py does.
 * Source: Marsaglia, "Xorshift RNGs", 2003 (xorshift32).
 * @param {number} seed
 */
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
 * @param {import("../types.js").Golden} golden
 * @param {import("../types.js").Port[]} ports
 * @returns {Float32Array[]} the values of each input; whole numbers where its type is not a float
 */
export function goldenInputs(golden, ports) {
  const draw = generator(golden.seed);
  return ports.map(({ shape, dtype }, k) => {
    const [lo, hi] = golden.ranges[k];
    const values = new Float32Array(sizeOf(shape));
    for (let i = 0; i < values.length; i++) {
      const value = lo + draw() * (hi - lo);
      values[i] = dtype.startsWith("f") ? value : Math.floor(value);
    }
    return values;
  });
}

/**
 * The error of the outputs, in the golden's metric; see Golden. The worst output counts.
 * @param {import("../types.js").Golden} golden
 * @param {Float32Array[]} outputs
 * @returns {number} Infinity where a value is not a number
 */
export function goldenError(golden, outputs) {
  const errors = golden.outputs.map(({ indices, values, peak }, k) => {
    const off = indices.map((at, i) => Math.abs(outputs[k][at] - values[i]));
    if (off.some(Number.isNaN)) return Infinity;
    if (golden.metric === "l2") return Math.hypot(...off) / (Math.hypot(...values) || 1);
    return Math.max(...off) / (peak || 1);
  });
  return Math.max(...errors);
}
